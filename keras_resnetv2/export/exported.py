"""Classifies pictures with an export, without its network."""

import os
import pathlib
import re
from collections.abc import Sequence

from keras_resnetv2._directories import EXPORT
from keras_resnetv2._files import user_path
from keras_resnetv2._requirements import check_installed

_AT_ONCE = 16  # what TF Serving's batching.config lets through


def classify(
    directory: str | os.PathLike, files: Sequence[str | os.PathLike]
) -> list[list[tuple[str, float]] | None]:
    """Asks an export's signature `classify`.

    Args:
        directory: of a version, or of all versions: the newest is asked then.
        files: paths of pictures.

    Returns:
        For every file [(class name, score), ...], best first, as many as the
        export names; None if it is no picture for the export.

    Raises:
        ValueError: if there is no export, or none that takes pictures.
    """
    version = find_version(directory)
    check_installed("A SavedModel")
    import tensorflow as tf

    network = tf.saved_model.load(str(version))
    if "classify" not in network.signatures:
        raise ValueError(
            f"The export {version} takes no pictures: its network's input is "
            "no square of known size and three channels."
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
        directory: of a version, or of all versions.

    Raises:
        ValueError: if there is none.
    """
    directory = user_path(directory)
    numbered = (directory / str(number) for number in numbers_in(directory))
    found = [
        path for path in (directory, *numbered) if (path / EXPORT).exists()
    ]
    if not found:
        raise ValueError(
            f"{directory} is no export: it has no {EXPORT}, and no "
            "version with one. Give the directory that the export was written "
            "to."
        )
    return found[-1]


def numbers_in(directory: pathlib.Path) -> list[int]:
    """Lists the numbers of an export's versions, the newest last.

    Args:
        directory: of all versions; there are none where it is no directory.
    """
    names = os.listdir(directory) if directory.is_dir() else ()
    return sorted(int(name) for name in names if re.fullmatch("[0-9]+", name))
