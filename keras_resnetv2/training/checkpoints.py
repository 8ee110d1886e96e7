"""Checkpoints: all that a training needs to go on, whole or not at all."""

import json
import os
import pathlib
import re
from typing import NamedTuple

import keras
import numpy as np
from absl import logging

from keras_resnetv2._files import removed_on_error
from keras_resnetv2.models import layer_names
from keras_resnetv2.training.errors import check_arrays

_NAME = re.compile(r"step-(\d+)\.npz")
_KEPT = 2
_STATE = "state"
_CLASSIFIER = f"weights/{layer_names.CLASSIFIER}/"


class Restored(NamedTuple):
    """What `restore` returns.

    Attributes:
        step: number of steps done.
        state: what `save` was given with them.
    """

    step: int
    state: dict


def save(
    model: keras.Model, directory: pathlib.Path, step: int, state: dict
) -> None:
    """Writes a checkpoint beside the ones before it, and keeps the last two.

    An .npz file, every entry of which has a checksum (CRC-32). Beside weights
    and optimizer it holds the state of the random generators, which Keras's
    `save_weights` leaves out: dropout would begin anew.

    Args:
        model: a compiled model.
        directory: of the checkpoints; made if it is missing.
        step: number of steps done.
        state: anything JSON can hold.

    Raises:
        DivergedError: if a variable is not finite; nothing is written.
        OSError: if the disk is full, say; the checkpoints before it stay.
    """
    arrays = {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _variables(model).items()
    }
    check_arrays(arrays, step)
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / ".part.npz"
    with removed_on_error(part):
        with open(part, "wb") as file:
            np.savez(file, **arrays, **{_STATE: json.dumps(state)})
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, directory / f"step-{step:09d}.npz")
    for path, _ in _find(directory)[_KEPT:]:
        path.unlink()


def restore(model: keras.Model, directory: pathlib.Path) -> Restored | None:
    """Loads the newest checkpoint that is undamaged.

    Args:
        model: if it is compiled, its optimizer is restored, too.
        directory: of the checkpoints.

    Returns:
        The step and the state; None if there is no checkpoint.

    Raises:
        ValueError: if there are checkpoints, but none can be read, or they are
            those of another network.
    """
    if model.compiled and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    failures = []
    for path, step in _find(directory):
        try:
            arrays, state = _read(path)
        except Exception as error:  # NumPy's and zipfile's are of many kinds
            logging.warning("%s cannot be read (%s).", path, error)
            failures.append(path.name)
            continue
        variables = _variables(model)
        _check_fits(path, arrays, variables)
        for name, variable in variables.items():
            variable.assign(arrays[name])
        if failures:
            logging.warning("Going on from %s instead.", path.name)
        return Restored(step, state)
    if failures:
        raise ValueError(
            f"None of the checkpoints in {directory} can be read: "
            f"{', '.join(failures)} are damaged. Train anew in another "
            "directory."
        )
    return None


def last_step(directory: pathlib.Path) -> int | None:
    """The step of the newest checkpoint; None if there is none."""
    found = _find(directory)
    return found[0][1] if found else None


def _read(path):
    # All of it, and before anything is assigned: reading finds the damage.
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file.items())
    return arrays, json.loads(str(arrays.pop(_STATE)))


def _check_fits(path, arrays, variables):
    """Refuses another network's arrays.

    A network without its classifier takes those of one that has one, and one
    that is not compiled takes those of one that is.
    """
    own, stored = variables.keys(), arrays.keys()
    for name in sorted(own ^ stored):
        needed = name.startswith("weights/")
        if name in own or (needed and not name.startswith(_CLASSIFIER)):
            where = "this one" if name in own else "it"
            raise ValueError(
                f"{path} is the checkpoint of another network: {name} is in "
                f"{where} alone. Give the settings that it was trained with."
            )
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{path} is the checkpoint of another network: {name} is "
                f"{arrays[name].shape} in it and {tuple(variable.shape)} in "
                "this one. Give the settings that it was trained with."
            )


def _variables(model):
    """Name -> variable, of the network, its generators and its optimizer.

    Layers' names are given by us; those of generators and optimizers by Keras,
    counted through within a process, so that only their order is the same.
    """
    variables = {f"weights/{v.path}": v for v in model.weights}
    if model.compiled:
        own = {id(v) for v in model.weights}
        others = [v for v in model.non_trainable_variables if id(v) not in own]
        variables |= {f"generators/{i}": v for i, v in enumerate(others)}
        variables |= {
            f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)
        }
    return variables


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
