"""Flags made from options: fields with a help text and allowed values."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from absl import flags

from keras_resnetv2._options import kind_of, names_of, sentence
from keras_resnetv2.models.configs import SIZE_FIELDS, ResNetConfig


def define(field: dataclasses.Field, default: Any) -> flags.FlagHolder:
    """Defines a flag with the field's name and type."""
    kind, names = kind_of(field), names_of(field)
    if names:
        return flags.DEFINE_enum(field.name, default, names, sentence(field))
    define = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }[kind]
    return define(field.name, default, sentence(field))


# Without a flag, the model's value is used.
NETWORK_OPTIONS = [
    define(field, None)
    for field in dataclasses.fields(ResNetConfig)
    if field.name not in SIZE_FIELDS
]


def given(some: Iterable[flags.FlagHolder]) -> dict[str, Any]:
    """Returns the values of the flags on the command line, by name."""
    return {flag.name: flag.value for flag in some if flag.present}
