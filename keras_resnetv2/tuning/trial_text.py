"""A trial in words: the units of its numbers, and its line on a terminal."""

from keras_resnetv2._plain_text import duration, one_line
from keras_resnetv2.tuning.trials import TrialRow


def percent(error: float) -> str:
    """Writes a fraction in percent, as 12.34%."""
    return f"{100 * error:.2f}%"


def millions(number: int) -> str:
    """Writes a number in millions, as 0.27M or 41M."""
    value = number / 1e6
    if value >= 10:
        return f"{value:,.0f}M"
    return f"{value:.2f}M" if value >= 0.1 else f"{value:.2g}M"


def setting(value, digits: int = 4) -> str:
    """Writes a hyper-parameter's value, numbers to some digits."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return one_line(str(value))


def settings(values: dict) -> str:
    """Writes hyper-parameters, as depth=20 learning_rate=0.1."""
    return " ".join(f"{name}={setting(v)}" for name, v in values.items())


def summary_line(row: TrialRow, best: TrialRow | None) -> str:
    """A trial on one line of a terminal.

    Args:
        row: the trial.
        best: the best one so far; None where there is none.

    Example:
    >>> row = TrialRow("03", "completed", 0.1234, 269_722, 40_551_040, 5, 83.0,
    ...                {"depth": 20, "learning_rate": 0.1})
    >>> best = TrialRow("01", "completed", 0.119, None, None, 5, None, {})
    >>> print(summary_line(row, best))  # doctest: +NORMALIZE_WHITESPACE
    trial 03  12.34%  0.27M parameters  41M multiply-adds  1:23
    depth=20 learning_rate=0.1  (best 01 11.90%)
    """
    parts = [f"trial {one_line(row.trial)}"]
    if row.status != "completed":
        parts.append(row.status)
    if row.error is not None:
        parts.append(percent(row.error))
    if row.parameters is not None:
        parts.append(f"{millions(row.parameters)} parameters")
    if row.multiply_adds is not None:
        parts.append(f"{millions(row.multiply_adds)} multiply-adds")
    if row.seconds is not None:
        parts.append(duration(row.seconds))
    if row.reason:
        parts.append(one_line(row.reason, 100))
    parts.append(settings(row.values))
    if best is not None and best.trial == row.trial:
        parts.append("(best so far)")
    elif best is not None:
        parts.append(f"(best {one_line(best.trial)} {percent(best.error)})")
    return "  ".join(filter(None, parts))
