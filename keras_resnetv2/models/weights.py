"""Where a network's weights come from."""

import os

import h5py

from keras_resnetv2.models.network import ResNet


def check(weights) -> None:
    """Refuses what `load` could not take, before a network is built.

    Raises:
        ValueError: if `weights` is neither None nor an existing `.weights.h5`.
    """
    if weights is None:
        return
    path = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    if not isinstance(path, str) or not path.endswith(".weights.h5"):
        raise ValueError(
            "weights must be None (random initialisation) or the path of a "
            f".weights.h5 file; received {weights!r}. No trained weights are "
            "published yet."
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
    other = sorted((own - stored) | (stored - own - {"predictions"}))
    if stored and other:
        raise ValueError(
            f"weights={os.fspath(weights)!r} are those of another network: "
            f"{other[0]!r} is in {'this one' if other[0] in own else 'it'} "
            f"alone ({len(other)} layers differ). Build the network with the "
            "options that it was saved with."
        )
    model.load_weights(weights)


def load_backbone(model, path) -> None:
    """Loads a network's weights into all layers but the classifier.

    Args:
        model: one of ours, with its top or without.
        path: of a `.weights.h5` file of the same network, with any number of
            classes; None leaves the model as it is.

    Raises:
        ValueError: if there is no such file, it is no weights file, or that of
            another network.
    """
    check(path)
    load(backbone(model), path)


def backbone(model):
    """A model of the same layers without the classifier, if it has one."""
    if all(layer.name != "predictions" for layer in model.layers):
        return model
    return ResNet(model.input, model.get_layer("predictions").input)


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
