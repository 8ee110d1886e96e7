"""Reads an experiment's settings from a JSON file."""

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
    """Reads some or all fields of an `Experiment`.

    Args:
        path: a JSON file with an object of `Experiment`'s fields, as from
            `dataclasses.asdict`; or a work directory's experiment.json, which
            has them under "experiment".

    Returns:
        The fields in the file, by name. The others keep their defaults.

    Raises:
        ValueError: if the file is missing, is not JSON of that form, or has a
            field unknown to `Experiment`.
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
    """Takes an experiment's fields from the content of a JSON file.

    Args:
        values: content of the file, see `read_settings`.
        path: path of the file, for the message.

    Raises:
        ValueError: if the content has another form, or unknown fields.
    """
    if isinstance(values, dict):
        values = values.get("experiment", values)
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} cannot be read as a training's settings. Its JSON must be "
            'an object like {"model": "PreActResNet20", "dataset": "cifar10"}.'
        )
    known = {field.name: field for field in dataclasses.fields(Experiment)}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise ValueError(
            f"{path} has unknown settings: {', '.join(unknown)}; "
            f"expected some of {', '.join(known)}. Remove them, or put the "
            'network\'s options into "options".'
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
                f"{path}: {name}={value!r} has the wrong type; expected "
                f"{expected}."
            )
    return values


def _fits(value, kind):
    kind = typing.get_origin(kind) or kind
    if kind is Literal:
        return isinstance(value, str)
    if kind is float:  # JSON may write 1.0 as 1
        return isinstance(value, int | float)
    return isinstance(value, kind)
