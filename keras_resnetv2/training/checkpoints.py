"""Checkpoints: weights, optimizer and step, whole or not at all."""

import os
import pathlib
import re

import keras
from absl import logging

_NAME = re.compile(r"step-(\d+)\.weights\.h5")
_KEPT = 2


def save(model: keras.Model, directory: pathlib.Path, step: int) -> None:
    """Writes a checkpoint beside the ones before it, and keeps the last two.

    Args:
        model: a compiled model.
        directory: of the checkpoints; made if it is missing.
        step: number of steps done.
    """
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / ".part.weights.h5"
    model.save_weights(part, overwrite=True)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, directory / f"step-{step:09d}.weights.h5")
    for path, _ in _find(directory)[_KEPT:]:
        path.unlink()


def restore(model: keras.Model, directory: pathlib.Path) -> int | None:
    """Loads the newest checkpoint that can be read.

    Args:
        model: if it is compiled, its optimizer is restored, too.
        directory: of the checkpoints.

    Returns:
        The number of steps done; None if there is no checkpoint.

    Raises:
        ValueError: if there are checkpoints, but none can be read or fits.
    """
    if model.compiled and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    failures = []
    for path, step in _find(directory):
        try:
            model.load_weights(path)
        except (OSError, KeyError, ValueError) as error:
            logging.warning("%s cannot be read (%s).", path, error)
            failures.append(path.name)
            continue
        if failures:
            logging.warning("Going on from %s instead.", path.name)
        return step
    if failures:
        raise ValueError(
            f"None of the checkpoints in {directory} can be read: "
            f"{', '.join(failures)}. Delete them to start anew."
        )
    return None


def _find(directory):
    """(path, step) of every checkpoint, newest first."""
    if not directory.is_dir():
        return []
    found = [
        (path, int(match[1]))
        for path in directory.iterdir()
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda item: -item[1])
