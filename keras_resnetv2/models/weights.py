"""Finds, downloads and loads a network's weights."""

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
    """Returns what weights were trained on.

    Args:
        weights: see `find`.
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
    """Returns the path of the weights; checks them before building a network.

    Args:
        weights: None, the path of a `.weights.h5` file, or the tag of
            published weights.
        config: the network.
        include_top: whether it has its classifier.

    Raises:
        ValueError: if weights is something else, or belongs to another network.
        OSError: if published weights cannot be found or downloaded.
    """
    if not published.is_tag(weights):
        return check(weights, config)
    row = published.find(weights, config)
    if include_top and config.classes != row.config.classes:
        raise ValueError(
            f"weights={weights!r} have a classifier for {row.config.classes} "
            f"classes; received classes={config.classes}. For your own "
            "classifier, give include_top=False, or give weights=None and call "
            f"load_backbone(model, {weights!r})."
        )
    return path_of(row)


def check(weights, config: ResNetConfig) -> str | None:
    """Returns the path of a weights file, or None for None.

    Args:
        weights: the path, or None.
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
            ".weights.h5 file, or the name of published weights; received "
            f"{weights!r}. Published for this network: {tags or 'none'}."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"weights={path!r}: there is no such file. Give the path of a "
            "file written by model.save_weights, or None."
        )
    return path


def load(model, weights) -> None:
    """Loads the file `weights` into `model`; None does nothing.

    Keras matches weights only by the order of layers. It would accept those of
    another activation order if the shapes fit by chance.

    Raises:
        ValueError: if the file has other layers than the model, or is not a
            weights file.
    """
    if weights is None:
        return
    own = {layer.name for layer in model.layers if layer.weights}
    stored = _layer_names(weights)
    # A network without its top accepts the weights of the whole network.
    other = sorted((own - stored) | (stored - own - {layer_names.CLASSIFIER}))
    if stored and other:
        raise ValueError(
            f"weights={os.fspath(weights)!r} belong to another network: only "
            f"{'this network' if other[0] in own else 'the file'} has "
            f"{other[0]!r} ({len(other)} layers differ). Build the network "
            "with the options that it was saved with."
        )
    try:
        model.load_weights(weights)
    except ValueError as error:
        raise ValueError(
            f"weights={os.fspath(weights)!r} do not fit this network's shapes. "
            "Build it with the options, classes and channels (input_shape) of "
            f"the network that was saved. Keras's message: {error}"
        ) from error


def _layer_names(path):
    """Returns the names of layers with weights; empty for early Keras 3."""
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
_CACHE = ("models", "keras_resnetv2")  # in Keras's folder
_SCHEMES = ("https", "http", "file")


def path_of(row: PublishedWeights) -> str:
    """Returns the path of a published file, and checks its hash.

    Args:
        row: row of the table. A file that is not bundled is downloaded once
            into Keras's cache, from the folder at the address in the
            environment variable KERAS_RESNETV2_WEIGHTS.

    Raises:
        OSError: if the file is damaged, or cannot be found or downloaded.
        ValueError: if the address is invalid.
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
            f"{ADDRESS} must be a folder's address that begins with "
            f"{', '.join(f'{scheme}:' for scheme in _SCHEMES)}; received "
            f"{address!r}."
        )
    # Without this folder, Keras would use /tmp.
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
    except Exception as error:  # Keras has no class for a failed download
        raise _not_to_be_had(row, f"From {address!r}: {error}.") from error


def _hash(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "no file"


def _not_to_be_had(row, reason):
    return OSError(
        f"{row.file} ({row.size / 1e6:.1f} MB) is not part of the package. It "
        "is downloaded from the folder at the address in the environment "
        f"variable {ADDRESS}. {reason} Set it to the address of a folder that "
        f"has the file with SHA-256 {row.sha256}."
    )
