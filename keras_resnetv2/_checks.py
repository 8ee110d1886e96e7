"""Checks of arguments whose messages are the same everywhere."""

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Number(NamedTuple):
    """The numbers that an argument or an option accepts.

    Attributes:
        fits: returns whether a number of the right type is accepted.
        expected: description of these numbers, for the error message.
    """

    fits: Callable[[Any], bool]
    expected: str


FINITE = Number(math.isfinite, "a finite number")
POSITIVE = Number(lambda value: 0 < value < math.inf, "a number larger than 0")
COUNT = Number(lambda value: value >= 1, "a whole number, at least 1")
COUNT_OR_ZERO = Number(lambda value: value >= 0, "a whole number, at least 0")
NOT_NEGATIVE = Number(
    lambda value: 0 <= value < math.inf, "a number, at least 0"
)
FRACTION = Number(
    lambda value: 0 <= value < 1, "a fraction, at least 0 and smaller than 1"
)
PROPER_FRACTION = Number(
    lambda value: 0 < value < 1, "a fraction, larger than 0 and smaller than 1"
)


def check_choice(what: str, value, choices: Iterable) -> None:
    """Checks that a value is one of the choices.

    Args:
        what: the argument's name.
        value: the received value.
        choices: the expected values, or a table with them as keys.

    Raises:
        ValueError: names the received and the expected values.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(
            f"Unknown {what}: received {value!r}; expected one of "
            f"{', '.join(map(repr, choices))}."
        )


def check_number(
    what: str, value, number: Number, kinds: type | tuple = numbers.Real
) -> None:
    """Checks that a value is one of the accepted numbers.

    Args:
        what: the argument's name.
        value: the received value.
        number: the accepted numbers.
        kinds: their types.

    Raises:
        ValueError: names the received and the expected values.
    """
    if not _is_number(value, number, kinds):
        raise ValueError(
            f"{what} must be {number.expected}; received {value!r}."
        )


def _is_number(value, number, kinds):
    is_kind = isinstance(value, kinds) and not isinstance(value, bool)
    return is_kind and number.fits(value)


def check_finite(what: str, value) -> None:
    """Checks that a value is a finite number.

    Raises:
        ValueError: names the received value.
    """
    check_number(what, value, FINITE)


def check_count(what: str, value) -> None:
    """Checks that a value is a whole number of at least 1.

    Args:
        what: the argument's name.
        value: the received value.

    Raises:
        ValueError: names the received and the expected values.
    """
    check_number(what, value, COUNT, numbers.Integral)


def is_count(value) -> bool:
    """Returns whether a value is a whole number of at least 1."""
    return _is_number(value, COUNT, numbers.Integral)


def check_learning_rate(what: str, value) -> None:
    """Checks that a learning rate, or a factor on one, is above 0.

    Raises:
        ValueError: names the received value, and says what to do instead of 0.
    """
    check_finite(what, value)
    if value <= 0:
        raise ValueError(
            f"{what} must be larger than 0; received {value!r}. To keep layers "
            "unchanged, freeze them (training.freeze)."
        )
