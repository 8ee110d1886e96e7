"""Refusals that are worded alike everywhere."""

import math
import numbers
from collections.abc import Iterable


def check_choice(what: str, value, choices: Iterable) -> None:
    """Refuses a value that is not one of the choices.

    Args:
        what: the argument's name.
        value: what came.
        choices: what is expected; of a table, its keys.

    Raises:
        ValueError: says what came and what is expected.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(
            f"Unknown {what}: received {value!r}; expected one of "
            f"{', '.join(map(repr, choices))}."
        )


def check_finite(what: str, value) -> None:
    """Refuses what is not a finite number.

    Raises:
        ValueError: says what came.
    """
    if (
        not isinstance(value, numbers.Real)
        or isinstance(value, bool)
        or not math.isfinite(value)
    ):
        raise ValueError(f"{what} must be a finite number; received {value!r}.")


def check_count(what: str, value) -> None:
    """Refuses what is no whole number of at least 1.

    Args:
        what: the argument's name.
        value: what came.

    Raises:
        ValueError: says what came and what is expected.
    """
    if not is_count(value):
        raise ValueError(
            f"{what} must be a whole number, at least 1; received {value!r}."
        )


def is_count(value) -> bool:
    """Whether it is a whole number of at least 1."""
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and value > 0
    )


def check_positive(what: str, value) -> None:
    """Refuses a learning rate, or a factor on one, that is not above 0.

    Raises:
        ValueError: says what came, and what to do instead of 0.
    """
    check_finite(what, value)
    if value <= 0:
        raise ValueError(
            f"{what} must be larger than 0; received {value!r}. To keep layers "
            "as they are, freeze them (training.freeze)."
        )
