"""Options: fields of a dataclass that say what they mean and what fits.

Flags, docstrings and the documents' table are made from what a field says.
"""

import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, TypeVar

from keras_resnetv2._checks import check_choice

_MARK = "{attributes}"
_Class = TypeVar("_Class", bound=type)


class Number(NamedTuple):
    """Which numbers an option takes.

    Attributes:
        fits: whether a number, of the field's type, is one of them.
        expected: in words, for the refusal.
    """

    fits: Callable[[Any], bool]
    expected: str


def described(
    help: str,
    *,
    unset: Any = None,
    source: str = "",
    number: Number | None = None,
) -> dict[str, Any]:
    """A field's metadata.

    Args:
        help: what the option is, without its values and its default.
        unset: what None stands for, where that is the default.
        source: where the literature has it.
        number: which numbers it takes, where not all of its type.
    """
    return {"help": help, "unset": unset, "source": source, "number": number}


def option(default: Any, help: str, **more: Any) -> Any:
    """A field that has a default.

    Args:
        default: what it is where it is left out.
        help: as for `described`.
        **more: as for `described`.
    """
    return dataclasses.field(default=default, metadata=described(help, **more))


def kind_of(field: dataclasses.Field) -> Any:
    """The type of a field's values, None aside."""
    kinds = [k for k in typing.get_args(field.type) if k is not type(None)]
    is_union = type(None) in typing.get_args(field.type)
    return kinds[0] if is_union and len(kinds) == 1 else field.type


def names_of(field: dataclasses.Field) -> tuple[str, ...]:
    """The names that a field takes; none where it takes something else."""
    kind = kind_of(field)
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def choices_of(cls: type) -> dict[str, tuple[str, ...]]:
    """Name to values of the fields that take one of a few names."""
    return {
        field.name: names_of(field)
        for field in dataclasses.fields(cls)
        if names_of(field)
    }


def check_options(options: Any) -> None:
    """Refuses a name or a number that its field does not take.

    Args:
        options: a dataclass of options.

    Raises:
        ValueError: says what came and what is expected.
    """
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is None and field.default is None:
            continue
        if names := names_of(field):
            check_choice(field.name, value, names)
        if number := field.metadata["number"]:
            _check_number(field, value, number)


def _check_number(field, value, number):
    kinds = (int, float) if kind_of(field) is float else int
    if (
        isinstance(value, bool)
        or not isinstance(value, kinds)
        or not number.fits(value)
    ):
        raise ValueError(
            f"{field.name} must be {number.expected}; received {value!r}."
        )


def sentence(field: dataclasses.Field) -> str:
    """What an option is, and what None stands for."""
    help = field.metadata["help"]
    return f"{help[0].upper()}{help[1:]}.{_default(field, None)}"


def _default(field, default):
    if unset := field.metadata["unset"]:
        return f" Default: {unset}."
    if default is None or default is dataclasses.MISSING:
        return ""
    return f" Default: {quoted([default])}."


def quoted(values: Iterable[Any]) -> str:
    """Values as one writes them in Python, names in double quotes."""
    return ", ".join(repr(value).replace("'", '"') for value in values)


def attribute(field: dataclasses.Field, default: Any) -> str:
    """An option's entry in a docstring's list, indented by four spaces."""
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
    """Puts the list of its options into a class's docstring.

    Args:
        cls: a dataclass; `{attributes}` stands where they go. Under
            `python -OO` there is nothing to do.
    """
    if cls.__doc__ is not None:
        listed = "\n".join(
            attribute(field, field.default) for field in dataclasses.fields(cls)
        ).strip()
        cls.__doc__ = inspect.cleandoc(cls.__doc__).replace(_MARK, listed)
    return cls
