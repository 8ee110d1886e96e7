"""Refusals that are worded alike everywhere."""

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
