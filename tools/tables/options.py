"""The table of a network's options."""

import dataclasses

from keras_resnetv2 import ResNetConfig
from keras_resnetv2._options import names_of, sentence
from keras_resnetv2._text import markdown_table
from keras_resnetv2.models.configs import SIZE_FIELDS

_HEAD = ("option", "what it is", "values, the default first", "where")


def table() -> str:
    """Returns one row for each option that all builders take."""
    rows = (
        (
            f"`{field.name}`",
            sentence(field),
            _values(field),
            field.metadata["source"],
        )
        for field in dataclasses.fields(ResNetConfig)
        if field.name not in SIZE_FIELDS
    )
    return markdown_table(_HEAD, rows) + "\n"


def _values(field):
    names = sorted(names_of(field), key=lambda name: name != field.default)
    values = names or ([] if field.default is None else [field.default])
    return ", ".join(f"`{value!r}`".replace("'", '"') for value in values)
