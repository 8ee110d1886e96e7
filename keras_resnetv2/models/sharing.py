"""A folder for sharing a network: weights, config.json and a model card."""

import contextlib
import dataclasses
import math
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_resnetv2._files import file_sha256, user_path
from keras_resnetv2._origin import network_of
from keras_resnetv2.models import hub, published
from keras_resnetv2.models import weights as weights_lib
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.description import (
    Description,
    is_description,
    read_description,
)
from keras_resnetv2.models.model_card import ModelCard, card_text, on_the_hub

WEIGHTS, CONFIG, CARD = "model.weights.h5", "config.json", "README.md"
# In the order of writing: without its config a folder is none of ours.
_FILES = (WEIGHTS, CARD, CONFIG)


def save_pretrained(
    model: Any,
    folder: str | os.PathLike,
    card: ModelCard | None = None,
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Saves a network into a folder for others.

    The folder has three files. `model.weights.h5` holds the weights;
    `config.json` the architecture, the preprocessing and the classes;
    `README.md` is a model card that says what is known of the network. The
    folder appears when all are written. Which layers are frozen, the optimizer
    and the loss are not saved.

    Args:
        model: a network of this package with or without its top, or the
            `Trained` of `load_trained(workdir)`. The card of a `Trained`, and
            that of published weights, also names data, recipe, error and
            command of the training.
        folder: path of a new or an empty folder.
        card: what you know of the training. It replaces what the network
            knows.
        overwrite: whether the folder may already hold a shared network, which
            is replaced. Other files in it are kept.

    Returns:
        The folder's path.

    Raises:
        ValueError: if the network is none of this package, or has other layers
            than its builder makes; or if the folder holds something else, or
            cannot be written.

    Example::

        trained = keras_resnetv2.load_trained("runs/mine")
        card = keras_resnetv2.ModelCard(license="apache-2.0")
        keras_resnetv2.save_pretrained(trained, "shared/mine", card)
    """
    if not isinstance(card, ModelCard | None):
        raise ValueError(
            "card must be a ModelCard, such as ModelCard(text=...), or None; "
            f"received {card!r}."
        )
    network = network_of(model)
    target = _target(folder, overwrite)
    description = Description.of(network)
    with _staging(target, folder) as staging:
        copy = description.copy(network)
        copy.save_weights(staging / WEIGHTS)
        sha256 = file_sha256(staging / WEIGHTS)
        known = _known_card(model, copy, description)
        card = dataclasses.replace(known, **(card.known() if card else {}))
        text = card_text(card, description, _parameters(copy), WEIGHTS, sha256)
        (staging / CARD).write_text(text, "utf-8")
        (staging / CONFIG).write_text(description.to_text(sha256), "utf-8")
        if target.exists():
            for file in _FILES:
                os.replace(staging / file, target / file)
        else:
            staging.rename(target)
    return user_path(folder)


def is_shared(source: str) -> bool:
    """Returns whether a text names a shared network, not published weights.

    Args:
        source: such as an address of the hub, a folder, or the path of a file.
    """
    if published.is_tag(source):
        return False
    return hub.is_address(source) or (user_path(source) / CONFIG).is_file()


def from_pretrained(
    folder: str | os.PathLike,
    dtype: str | None = None,
    image_size: int | None = None,
) -> keras.Model:
    """Loads a network from a folder that `save_pretrained` wrote.

    The weights are checked against the SHA-256 in config.json. It detects
    damage. It does not prove who wrote the folder. Nothing in the folder is
    run: the config is plain JSON, and the weights are numbers.

    Args:
        folder: path of the folder, or "hf://user/name" for a repository of the
            Hugging Face hub; "hf://user/name@revision" for a branch, a tag or
            a commit of it. The package huggingface_hub downloads it once.
        dtype: precision to compute in, such as "float32" or "mixed_bfloat16";
            None for that of the saved network.
        image_size: side of the network's input in pixels; None for that of the
            saved network.

    Returns:
        A `keras.Model` that answers as the saved network did, and knows its
        preprocessing and classes.

    Raises:
        ValueError: if there is no such folder, or it is not complete, is
            damaged, or was written by a newer version; or if its network has a
            mean per pixel for another image size.
        ImportError: if huggingface_hub is missing; says what to install.
        OSError: if the hub cannot be reached, or does not have it.

    Example:
        >>> import keras_resnetv2, tempfile
        >>> model = keras_resnetv2.PreActResNet20(weights="cifar10")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = keras_resnetv2.save_pretrained(model, folder)
        ...     again = keras_resnetv2.from_pretrained(path)
        >>> again.origin.class_names[:2]
        ('airplane', 'automobile')
    """
    source = _text_of(folder)
    if hub.is_address(source):
        path = hub.download(source, _FILES)
    else:
        path = user_path(source)
    for file in (CONFIG, WEIGHTS):
        if not (path / file).is_file():
            raise ValueError(
                f"folder={source!r} {_lack(path, file)}. Give a folder that "
                f"save_pretrained wrote, with {CONFIG} and {WEIGHTS}."
            )
    description, sha256 = read_description(
        (path / CONFIG).read_bytes(), os.path.join(source, CONFIG)
    )
    if (found := file_sha256(path / WEIGHTS)) != sha256:
        raise ValueError(
            f"{os.path.join(source, WEIGHTS)} is not the file that {CONFIG} "
            f"describes: expected SHA-256 {sha256}; received {found}. The "
            "folder is damaged or was not copied whole. Get it again from its "
            "source."
        )
    if dtype is not None:
        description = dataclasses.replace(description, dtype=dtype)
    if image_size is not None:
        description = description.at_size(image_size)
    model = description.build()
    found = weights_lib.find(path / WEIGHTS, model.config)
    weights_lib.load(model, found, new_head=False)
    return model


def _text_of(folder):
    if not isinstance(folder, str | os.PathLike):
        raise ValueError(
            f"folder must be the path of a folder; received {folder!r}."
        )
    return os.fspath(folder)


def _parameters(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _lack(path, file):
    if not path.exists():
        return "does not exist"
    return f"has no {file}" if path.is_dir() else "is a file"


def _target(folder, overwrite):
    """Returns the folder's real path; checks that it may be written."""
    if hub.is_address(_text_of(folder)):
        raise ValueError(
            f"folder={str(folder)!r} is on the Hugging Face hub. Give a "
            "folder of this machine, and upload it: hf upload user/name folder."
        )
    path = user_path(folder).resolve()
    if not path.exists():
        return path
    if not path.is_dir():
        raise ValueError(f"folder={str(folder)!r} is a file. Give a folder.")
    config = path / CONFIG
    if config.is_file() and is_description(config.read_bytes()):
        if not overwrite:
            raise ValueError(
                f"folder={str(folder)!r} already holds a shared network. Give "
                "another folder, or overwrite=True to replace it."
            )
    elif others := [
        entry.name for entry in path.iterdir() if not entry.name.startswith(".")
    ]:
        raise ValueError(
            f"folder={str(folder)!r} is neither empty nor that of a shared "
            f"network; it has {min(others)!r}. Give a new or empty folder."
        )
    return path


@contextlib.contextmanager
def _staging(target, folder) -> Iterator[pathlib.Path]:
    """Context with an empty directory on the target's file system."""
    place = target if target.exists() else target.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".saving-", dir=place)
    except OSError as error:
        raise ValueError(
            f"folder={str(folder)!r} cannot be written ({error}). Give a "
            "folder that you may write to."
        ) from error
    with temporary as name:
        # The temporary directory itself is closed to other users.
        staging = pathlib.Path(name, "folder")
        staging.mkdir()
        yield staging


def _known_card(model, copy, description):
    """Returns what the network's training, or the published table, tells."""
    if network_of(model) is not model:
        return model.card
    weights = description.origin.weights
    if not (description.include_top and published.is_tag(weights)):
        return ModelCard()
    try:
        row = published.find(weights, description.network)
        if not isinstance(row, published.PublishedWeights):
            return ModelCard()  # it may have been trained on
        original = ResNetV2(row.config, weights=weights)
    except (OSError, ValueError):
        return ModelCard()
    # A network that was trained on is no longer the published one.
    pairs = zip(copy.get_weights(), original.get_weights(), strict=True)
    if not all(np.array_equal(one, other) for one, other in pairs):
        return ModelCard()
    size = row.config.input_size
    as_tested = ((size, size, 3), "float32")
    is_as_tested = (description.input_shape, description.dtype) == as_tested
    return ModelCard(
        data=row.tag,
        datasets=on_the_hub(row.tag),
        recipe=f"{row.steps:,} steps, seed {row.seed}; see the command",
        test_error=row.test_error if is_as_tested else None,
        command=row.command,
    )
