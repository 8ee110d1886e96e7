"""Classifies pictures with an export, without the Keras network."""

import os
import pathlib
import re
from collections.abc import Sequence

from keras_resnetv2._directories import EXPORT
from keras_resnetv2._files import user_path
from keras_resnetv2._requirements import check_installed

_AT_ONCE = 16  # pictures per call, which bounds the memory


def classify(
    directory: str | os.PathLike, files: Sequence[str | os.PathLike]
) -> list[list[tuple[str, float]] | None]:
    """Calls an export's signature `classify`.

    Args:
        directory: directory of one version, or of all versions; then the
            newest is used.
        files: paths of pictures.

    Returns:
        For each file [(class name, score), ...], best first, with the export's
        `top_k` classes; None if the export cannot read it as a picture.

    Raises:
        ValueError: if there is no export, or it does not take pictures.
    """
    version = find_version(directory)
    check_installed("A SavedModel")
    import tensorflow as tf

    network = tf.saved_model.load(str(version))
    if "classify" not in network.signatures:
        raise ValueError(
            f"The export {version} does not take pictures: its network's input "
            "is not a square of known size with three channels."
        )
    ask = network.signatures["classify"]
    answers = []
    for start in range(0, len(files), _AT_ONCE):
        chosen = files[start : start + _AT_ONCE]
        encoded = [user_path(file).read_bytes() for file in chosen]
        found = ask(image_bytes=tf.constant(encoded))
        columns = (found[key].numpy() for key in ("classes", "scores", "valid"))
        answers += [
            [
                (name.decode(), float(score))
                for name, score in zip(classes, scores)
            ]
            if valid
            else None
            for classes, scores, valid in zip(*columns)
        ]
    return answers


def find_version(directory: str | os.PathLike) -> pathlib.Path:
    """Finds an export's newest version.

    Args:
        directory: directory of one version, or of all versions.

    Raises:
        ValueError: if there is no version.
    """
    directory = user_path(directory)
    numbered = (directory / str(number) for number in numbers_in(directory))
    found = [
        path for path in (directory, *numbered) if (path / EXPORT).exists()
    ]
    if not found:
        raise ValueError(
            f"{directory} is not an export: it has no {EXPORT}, and no "
            "version with one. Give the directory that the export was written "
            "to."
        )
    return found[-1]


def numbers_in(directory: pathlib.Path) -> list[int]:
    """Lists the numbers of an export's versions, the newest last.

    Args:
        directory: directory of all versions. If it is not a directory, the
            list is empty.
    """
    names = os.listdir(directory) if directory.is_dir() else ()
    return sorted(int(name) for name in names if re.fullmatch("[0-9]+", name))
