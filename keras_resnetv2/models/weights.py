"""Where a network's weights come from."""

import contextlib
import hashlib
import os
import pathlib
from urllib.parse import quote, urlsplit

import h5py
import keras

from keras_resnetv2._origin import CLASS_NAMES, Origin
from keras_resnetv2._standardization import STANDARDIZATIONS
from keras_resnetv2.models import layer_names, published
from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.published import PublishedWeights


def origin(weights, include_top: bool) -> Origin:
    """What weights were trained on.

    Args:
        weights: as of `find`.
        include_top: whether the network has its classifier.
    """
    if not published.is_tag(weights):
        name = None if weights is None else os.path.basename(weights)
        return Origin(weights=name)
    return Origin(
        weights=weights,
        standardization=STANDARDIZATIONS[weights],
        class_names=CLASS_NAMES[weights] if include_top else None,
    )


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
        return check(weights, config)
    row = published.find(weights, config)
    if include_top and config.classes != row.config.classes:
        raise ValueError(
            f"weights={weights!r} have a classifier of {row.config.classes} "
            f"classes; received classes={config.classes}. For a classifier of "
            "your own give include_top=False, or weights=None and then "
            f"load_backbone(model, {weights!r})."
        )
    return path_of(row)


def check(weights, config: ResNetConfig) -> str | None:
    """The path of a weights file; None stays None.

    Args:
        weights: of a network.
        config: the network.

    Raises:
        ValueError: if `weights` is neither None nor an existing `.weights.h5`.
    """
    if weights is None:
        return None
    is_path = isinstance(weights, str | os.PathLike)
    path = os.path.expanduser(weights) if is_path else ""
    if not path.endswith(".weights.h5"):
        tags = ", ".join(map(repr, published.tags(config)))
        raise ValueError(
            "weights must be None (random initialisation), the path of a "
            ".weights.h5 file, or published ones; received "
            f"{weights!r}. Published for this network: {tags or 'none'}."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"weights={path!r}: there is no such file. Give the path of a file "
            "written by model.save_weights, or None."
        )
    return path


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


ADDRESS = "KERAS_RESNETV2_WEIGHTS"
_BUNDLED = pathlib.Path(__file__).with_name("pretrained")
_CACHE = ("models", "keras_resnetv2")  # in Keras's own folder
_SCHEMES = ("https", "http", "file")


def path_of(row: PublishedWeights) -> str:
    """The path of a published file whose hash is right.

    Args:
        row: of the table. What is not bundled is downloaded, once, from the
            folder whose address the environment variable
            KERAS_RESNETV2_WEIGHTS has, into Keras's cache.

    Raises:
        OSError: if the bundled file is damaged, or the other one is not to be
            had, or has another hash.
        ValueError: if the address is none.
    """
    return _bundled(row) if row.bundled else _downloaded(row)


def _bundled(row):
    path = _BUNDLED / row.file
    if (found := _hash(path)) != row.sha256:
        raise OSError(
            f"{path} is damaged or missing: expected SHA-256 {row.sha256}; "
            f"found {found}. Install the package again."
        )
    return str(path)


def _downloaded(row):
    home = pathlib.Path(
        os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    )
    cached = home.joinpath(*_CACHE, row.file)
    if _hash(cached) == row.sha256:
        return str(cached)
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if not address:
        raise _not_to_be_had(row, "It is not set.")
    if urlsplit(address).scheme not in _SCHEMES:
        raise ValueError(
            f"{ADDRESS} must be the address of a folder that begins with "
            f"{', '.join(f'{scheme}:' for scheme in _SCHEMES)}; received "
            f"{address!r}."
        )
    # Keras goes to /tmp where there is no such folder.
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    try:
        return keras.utils.get_file(
            row.file,
            f"{address}/{quote(row.file)}",
            cache_dir=str(home),
            cache_subdir=os.path.join(*_CACHE),
            file_hash=row.sha256,
        )
    except Exception as error:  # Keras has none of its own for a failed fetch
        raise _not_to_be_had(row, f"From {address!r}: {error}.") from error


def _hash(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "no file"


def _not_to_be_had(row, reason):
    return OSError(
        f"{row.file} ({row.size / 1e6:.1f} MB) is not a part of the package "
        "and comes from the folder whose address the environment variable "
        f"{ADDRESS} has. {reason} Set it to the address of a folder that has "
        f"the file with SHA-256 {row.sha256}."
    )
