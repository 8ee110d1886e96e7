"""A setting of the search space as a command line gives it."""

import json


def parse_setting(text: str) -> tuple[str, object]:
    """Reads "name=values".

    Args:
        text: "depth=20..110" (a range), "batch_size=64,128" (choices),
            "shortcut=identity" (fixed), "dimension_change=null" (fixed at
            what the base has).

    Returns:
        The name, and its value as `SearchSpace` takes it.

    Raises:
        ValueError: if it has no such form.

    Example:
        >>> parse_setting("depth=20..110")
        ('depth', (20, 110))
        >>> parse_setting("shortcut=identity,conv")
        ('shortcut', ['identity', 'conv'])
        >>> parse_setting("learning_rate=0.05")
        ('learning_rate', 0.05)
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    low, dots, high = values.partition("..")
    parts = [part.strip() for part in values.split(",")]
    if (
        not (name and equals and all(parts))
        or (dots and not (low and high))
        or set("[]()") & set(values)
    ):
        raise ValueError(
            f"--space={text!r} is not of the form name=low..high, "
            "name=value,value or name=value."
        )
    if dots:
        return name, (_value(low), _value(high))
    if len(parts) > 1:
        return name, [_value(part) for part in parts]
    return name, _value(values.strip())


def _value(text):
    for read in (json.loads, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text
