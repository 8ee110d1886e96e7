"""An experiment's settings out of a JSON file."""

import dataclasses
import inspect
import json
import os
import typing
from typing import Literal

from keras_resnetv2._files import user_path
from keras_resnetv2._options import kind_of, names_of, quoted
from keras_resnetv2.training.experiment import Experiment


def read_settings(path: str | os.PathLike) -> dict:
    """Reads settings that an `Experiment` can be made of, or a part of them.

    Args:
        path: JSON: an object of `Experiment`'s fields, as
            `dataclasses.asdict` gives them; or a work directory's
            experiment.json, of which this is the part "experiment".

    Returns:
        The fields that are there, by name: what is left out has its default.

    Raises:
        ValueError: if there is no such file, it is not JSON of that form, or
            has a field that `Experiment` has not.
    """
    try:
        with open(user_path(path), encoding="utf-8") as file:
            values = json.load(file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Give a "
            "JSON file of an Experiment's fields, or a work directory's "
            "experiment.json."
        ) from error
    return experiment_fields(values, path)


def experiment_fields(values, path: str | os.PathLike) -> dict:
    """Takes an experiment's fields out of what a JSON file held.

    Args:
        values: see `read_settings`.
        path: of the file, for the message.

    Raises:
        ValueError: if they are of another form, or have unknown fields.
    """
    if isinstance(values, dict):
        values = values.get("experiment", values)
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} cannot be read as a training's settings: its JSON is no "
            'object like {"model": "PreActResNet20", "dataset": "cifar10"}.'
        )
    known = {field.name: field for field in dataclasses.fields(Experiment)}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise ValueError(
            f"{path} has settings that are unknown: {', '.join(unknown)}; "
            f"expected some of {', '.join(known)}. Remove them; what belongs "
            'to the network goes into "options".'
        )
    for name, value in values.items():
        field = known[name]
        if value is None and field.default is None:
            continue
        if not _fits(value, kind_of(field)):
            expected = quoted(names_of(field)) or inspect.formatannotation(
                field.type
            )
            raise ValueError(
                f"{path}: {name}={value!r} is of the wrong type; write "
                f"{expected}."
            )
    return values


def _fits(value, kind):
    kind = typing.get_origin(kind) or kind
    if kind is Literal:
        return isinstance(value, str)
    if kind is float:  # JSON writes 1.0 as it likes
        return isinstance(value, int | float)
    return isinstance(value, kind)
