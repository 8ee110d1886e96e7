"""Where a network's weights come from."""

import os

import h5py

from keras_resnetv2.models import layer_names, published, weight_files
from keras_resnetv2.models.configs import ResNetConfig


def find(weights, config: ResNetConfig, include_top: bool) -> str | None:
    """The path of the weights, refused before a network is built.

    Args:
        weights: None, the path of a `.weights.h5` file, or the tag of
            published weights.
        config: the network.
        include_top: whether it has its classifier.

    Raises:
        ValueError: if they are none of these, or not this network's.
        OSError: if the published file is not to be had.
    """
    if not published.is_tag(weights):
        check(weights)
        return weights
    row = published.find(weights, config)
    if include_top and config.classes != row.config.classes:
        raise ValueError(
            f"weights={weights!r} have a classifier of {row.config.classes} "
            f"classes; received classes={config.classes}. For a classifier of "
            "your own give include_top=False, or weights=None and then "
            f"load_backbone(model, {weights!r})."
        )
    return weight_files.path_of(row)


def check(weights) -> None:
    """Refuses what is neither None nor a weights file.

    Raises:
        ValueError: if `weights` is neither None nor an existing `.weights.h5`.
    """
    if weights is None:
        return
    path = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    if not isinstance(path, str) or not path.endswith(".weights.h5"):
        tags = sorted({row.tag for row in published.PUBLISHED})
        raise ValueError(
            "weights must be None (random initialisation), published ones "
            f"({', '.join(map(repr, tags))}) or the path of a .weights.h5 "
            f"file; received {weights!r}."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"weights={path!r}: there is no such file. Give the path of a file "
            "written by model.save_weights, or None."
        )


def load(model, weights) -> None:
    """Loads the file `weights` into `model`; None leaves it as it is.

    Keras matches weights by the order of layers alone, and would take those of
    another activation order where the shapes happen to fit.

    Raises:
        ValueError: if the file holds other layers than the model, or is none.
    """
    if weights is None:
        return
    own = {layer.name for layer in model.layers if layer.weights}
    stored = _layer_names(weights)
    # A network without its top takes the weights of the whole one.
    other = sorted((own - stored) | (stored - own - {layer_names.CLASSIFIER}))
    if stored and other:
        raise ValueError(
            f"weights={os.fspath(weights)!r} are those of another network: "
            f"{other[0]!r} is in {'this one' if other[0] in own else 'it'} "
            f"alone ({len(other)} layers differ). Build the network with the "
            "options that it was saved with."
        )
    try:
        model.load_weights(weights)
    except ValueError as error:
        raise ValueError(
            f"weights={os.fspath(weights)!r} do not fit this network's shapes. "
            "Build it with the options, the classes and the channels of "
            f"input_shape that they were saved with. Keras says: {error}"
        ) from error


def _layer_names(path):
    """Names of the layers with weights; none in files of an early Keras 3."""
    try:
        with h5py.File(path) as file:
            groups = [
                layer["vars"]
                for layer in file.get("layers", {}).values()
                if len(layer.get("vars", ()))
            ]
            return {group.attrs.get("name") for group in groups} - {None}
    except OSError as error:
        raise ValueError(
            f"weights={os.fspath(path)!r} is not a weights file ({error}). "
            "Give one written by model.save_weights."
        ) from error
