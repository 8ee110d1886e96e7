"""Checkpoints: all that a training needs to resume, written atomically."""

import functools
import json
import pathlib
import re
import zlib
from typing import NamedTuple

import keras
import numpy as np
from absl import logging

from keras_resnetv2._files import replacing
from keras_resnetv2.models import layer_names
from keras_resnetv2.training.averaging import averages_of
from keras_resnetv2.training.errors import DivergedError

_NAME = re.compile(r"step-(\d+)\.npz")
_KEPT = 2
_STATE = "state"
_AVERAGE, _WEIGHTS = "average/", "weights/"
_CLASSIFIER = f"{_WEIGHTS}{layer_names.CLASSIFIER}/"


class Restored(NamedTuple):
    """What `restore` returns.

    Attributes:
        step: number of steps done.
        state: the `state` that `save` was given.
    """

    step: int
    state: dict


def save(
    model: keras.Model, directory: pathlib.Path, step: int, state: dict
) -> None:
    """Writes a checkpoint, and keeps the last two.

    It is an .npz file. Every entry has a checksum (CRC-32). Besides weights
    and optimizer it holds the state of the random generators, which Keras's
    `save_weights` omits. Without it, dropout would start over.

    Args:
        model: a compiled model.
        directory: directory of the checkpoints; created if missing.
        step: number of steps done.
        state: any value that JSON can hold.

    Raises:
        DivergedError: if a variable is NaN or infinite; nothing is written.
        OSError: for instance if the disk is full; earlier checkpoints remain.
    """
    arrays = check(model, step)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{step:09d}.npz"
    with replacing(path) as part:
        np.savez(part, **arrays, **{_STATE: json.dumps(state)})
    for path, _ in _find(directory)[_KEPT:]:
        path.unlink()


def check(model: keras.Model, step: int) -> dict[str, np.ndarray]:
    """Checks what a checkpoint would hold.

    Args:
        model: a compiled model.
        step: number of steps done.

    Returns:
        The arrays by name.

    Raises:
        DivergedError: if a variable is NaN or infinite.
    """
    arrays = _arrays(model)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DivergedError(f"{name} is not finite", step)
    return arrays


def restore(model: keras.Model, directory: pathlib.Path) -> Restored | None:
    """Loads the newest undamaged checkpoint.

    Args:
        model: the network; if it is compiled, its optimizer is restored, too.
            Otherwise it gets the averages of the weights, if there are any.
        directory: directory of the checkpoints.

    Returns:
        The step and the state; None if there is no checkpoint.

    Raises:
        ValueError: if none of the checkpoints can be read, or they belong to
            another network.
    """
    if model.compiled and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    failures = []
    for path, step in _find(directory):
        try:
            arrays, state = _read(path)
        except Exception as error:  # NumPy and zipfile raise many types
            logging.warning("%s cannot be read (%s).", path, error)
            failures.append(path.name)
            continue
        if not model.compiled:
            arrays |= {
                name.replace(_AVERAGE, _WEIGHTS, 1): array
                for name, array in arrays.items()
                if name.startswith(_AVERAGE)
            }
        variables = _variables(model)
        _check_fits(path, arrays, variables)
        for name, variable in variables.items():
            variable.assign(arrays[name])
        if failures:
            logging.warning("Resuming from %s instead.", path.name)
        return Restored(step, state)
    if failures:
        raise ValueError(
            f"None of the checkpoints in {directory} can be read. Damaged: "
            f"{', '.join(failures)}. Start the training again in another "
            "directory."
        )
    return None


def checksum(model: keras.Model) -> int:
    """Returns a CRC-32 of all variables that a checkpoint holds."""
    return functools.reduce(
        lambda crc, array: zlib.crc32(np.ascontiguousarray(array), crc),
        _arrays(model).values(),
        0,
    )


def last_step(directory: pathlib.Path) -> int | None:
    """Returns the step of the newest checkpoint; None without checkpoints."""
    found = _find(directory)
    return found[0][1] if found else None


def _read(path):
    # Reads everything before anything is assigned: reading finds damage.
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file.items())
    return arrays, json.loads(str(arrays.pop(_STATE)))


def _check_fits(path, arrays, variables):
    """Checks that the arrays belong to this network.

    They may have more: a classifier, if the network has none, and an
    optimizer, if it is not compiled.
    """
    own, stored = variables.keys(), arrays.keys()
    for name in sorted(own ^ stored):
        needed = name.startswith(_WEIGHTS)
        if name in own or (needed and not name.startswith(_CLASSIFIER)):
            where = "this network" if name in own else "the checkpoint"
            raise ValueError(
                f"{path} is the checkpoint of another network: only {where} "
                f"has {name}. Give the settings that it was trained with."
            )
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{path} is the checkpoint of another network: the shape of "
                f"{name} is {arrays[name].shape} there and "
                f"{tuple(variable.shape)} in this network. Give the settings "
                "that it was trained with."
            )


def _arrays(model):
    return {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _variables(model).items()
    }


def _variables(model):
    """Maps names to variables of network, generators and optimizer.

    This package names the layers. Keras names generators and optimizers with
    a counter for the process, so they are identified by their order.
    """
    variables = {f"{_WEIGHTS}{v.path}": v for v in model.weights}
    if model.compiled:
        averages = averages_of(model)
        variables |= {f"{_AVERAGE}{path}": v for path, v in averages.items()}
        own = {id(v) for v in variables.values()}
        others = [v for v in model.non_trainable_variables if id(v) not in own]
        variables |= {f"generators/{i}": v for i, v in enumerate(others)}
        variables |= {
            f"optimizer/{i}": v
            for i, v in enumerate(
                v for v in model.optimizer.variables if id(v) not in own
            )
        }
    return variables


def _find(directory):
    """Returns (path, step) of every checkpoint, newest first."""
    if not directory.is_dir():
        return []
    found = [
        (path, int(match[1]))
        for path in directory.iterdir()
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda item: -item[1])
