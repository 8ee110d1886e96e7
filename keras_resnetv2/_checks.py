"""Checks of arguments whose messages are the same everywhere."""

import math
import numbers
from collections.abc import Iterable


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


def check_finite(what: str, value) -> None:
    """Checks that a value is a finite number.

    Raises:
        ValueError: names the received value.
    """
    if (
        not isinstance(value, numbers.Real)
        or isinstance(value, bool)
        or not math.isfinite(value)
    ):
        raise ValueError(f"{what} must be a finite number; received {value!r}.")


def check_count(what: str, value) -> None:
    """Checks that a value is a whole number of at least 1.

    Args:
        what: the argument's name.
        value: the received value.

    Raises:
        ValueError: names the received and the expected values.
    """
    if not is_count(value):
        raise ValueError(
            f"{what} must be a whole number, at least 1; received {value!r}."
        )


def is_count(value) -> bool:
    """Returns whether a value is a whole number of at least 1."""
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and value > 0
    )


def check_positive(what: str, value) -> None:
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
