"""Options: dataclass fields with a help text and allowed values.

Flags, docstrings and a table of the documentation are generated from them.
"""

import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterable
from typing import Any, Literal, TypeVar

from keras_resnetv2._checks import Number, check_choice, check_number

_MARK = "{attributes}"
_Class = TypeVar("_Class", bound=type)


def described(
    help: str,
    *,
    unset: Any = None,
    source: str = "",
    number: Number | None = None,
) -> dict[str, Any]:
    """Makes a field's metadata.

    Args:
        help: help text, without values and default.
        unset: meaning of the default None.
        source: place in the literature.
        number: the accepted numbers, if not all of the type.
    """
    return {"help": help, "unset": unset, "source": source, "number": number}


def option(default: Any, help: str, **more: Any) -> Any:
    """Makes a field with a default.

    Args:
        default: the default.
        help: see `described`.
        **more: see `described`.
    """
    return dataclasses.field(default=default, metadata=described(help, **more))


def kind_of(field: dataclasses.Field) -> Any:
    """Returns the type of a field's values, without None."""
    kinds = [k for k in typing.get_args(field.type) if k is not type(None)]
    is_union = type(None) in typing.get_args(field.type)
    return kinds[0] if is_union and len(kinds) == 1 else field.type


def names_of(field: dataclasses.Field) -> tuple[str, ...]:
    """Returns the names that a field accepts; empty if it takes no names."""
    kind = kind_of(field)
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def choices_of(cls: type) -> dict[str, tuple[str, ...]]:
    """Maps fields that accept names to these names."""
    return {
        field.name: names_of(field)
        for field in dataclasses.fields(cls)
        if names_of(field)
    }


def check_options(options: Any) -> None:
    """Checks that the fields accept their names and numbers.

    Args:
        options: a dataclass of options.

    Raises:
        ValueError: if one does not; names the received and expected values.
    """
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is None and field.default is None:
            continue
        if names := names_of(field):
            check_choice(field.name, value, names)
        if number := field.metadata["number"]:
            kinds = (int, float) if kind_of(field) is float else int
            check_number(field.name, value, number, kinds)


def sentence(field: dataclasses.Field) -> str:
    """Writes an option's help text and the meaning of None."""
    help = field.metadata["help"]
    return f"{help[0].upper()}{help[1:]}.{_default(field, None)}"


def _default(field, default):
    if unset := field.metadata["unset"]:
        return f" Default: {unset}."
    if default is None or default is dataclasses.MISSING:
        return ""
    return f" Default: {quoted([default])}."


def quoted(values: Iterable[Any]) -> str:
    """Writes values as in Python, with names in double quotes."""
    return ", ".join(repr(value).replace("'", '"') for value in values)


def attribute(field: dataclasses.Field, default: Any) -> str:
    """Writes an option's entry in a docstring, indented by four spaces."""
    text = f"{field.name}: {field.metadata['help']}."
    if names := names_of(field):
        text += f" One of {quoted(names)}."
    return textwrap.fill(
        text + _default(field, default),
        80,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_on_hyphens=False,
        break_long_words=False,
    )


def documented(cls: _Class) -> _Class:
    """Puts the list of options into a class's docstring.

    Args:
        cls: a dataclass with `{attributes}` in its docstring. Under
            `python -OO` there are no docstrings, and nothing is done.
    """
    if cls.__doc__ is not None:
        listed = "\n".join(
            attribute(field, field.default) for field in dataclasses.fields(cls)
        ).strip()
        cls.__doc__ = inspect.cleandoc(cls.__doc__).replace(_MARK, listed)
    return cls
