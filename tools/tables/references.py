"""The table of the published architectures."""

import dataclasses

from keras_resnetv2._text import markdown_table
from keras_resnetv2.models.references import REFERENCES, Reference

_TRAITS = [
    field.name
    for field in dataclasses.fields(Reference)
    if field.name not in ("name", "source", "stems", "standardization")
]


def table() -> str:
    """Returns a row per trait, and a column per architecture."""
    head = ("", *(f"`{row.name}`" for row in REFERENCES))
    rows = [("stems", *(", ".join(row.stems) for row in REFERENCES))]
    for trait in _TRAITS:
        values = (getattr(row, trait) for row in REFERENCES)
        rows.append((trait.replace("_", " "), *map(_written, values)))
    rows.append(("source", *(row.source for row in REFERENCES)))
    return markdown_table(head, rows) + "\n"


def _written(value):
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
