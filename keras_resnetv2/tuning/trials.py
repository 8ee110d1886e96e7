"""The trials of a search: rows, the best one, the Pareto front, texts."""

import dataclasses
import re
from collections.abc import Iterable

from keras_resnetv2._checks import check_choice
from keras_resnetv2._text import brief, duration, one_line

# keras-tuner's name of the score of a trial.
OBJECTIVE = "val_error"
# keras-tuner's own entries among a trial's values.
PREVIOUS_TRIAL, EPOCHS = "tuner/trial_id", "tuner/epochs"
STATUSES = ("completed", "running", "failed")
COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds"}


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Attributes:
        trial: id of the trial.
        status: "completed", "running" or "failed".
        error: fraction of errors on the held-out images after the last step;
            None if there is no result (yet).
        parameters: number of trainable parameters; None if unknown.
        multiply_adds: multiply-adds of one image's forward pass; None if
            unknown.
        epochs: epochs of the trial's network, including earlier rungs.
        seconds: training time of its network, including earlier rungs; None if
            unknown.
        values: hyper-parameter -> value, without those that do not apply (such
            as a gate's bias without a gate).
        reason: why the trial failed.

    Raises:
        ValueError: if the status is unknown, the error is not a fraction, a
            completed trial has no error, or a hyper-parameter has the name of
            one of these attributes.
    """

    trial: str
    status: str
    error: float | None
    parameters: int | None
    multiply_adds: int | None
    epochs: int
    seconds: float | None
    values: dict
    reason: str | None = None

    __repr__ = brief

    def __post_init__(self):
        check_choice("status", self.status, STATUSES)
        if self.error is None and self.status == "completed":
            raise ValueError(
                f"Trial {self.trial} is completed, but received error=None; "
                "expected a fraction. Give it, or set status to 'failed', with "
                "a reason."
            )
        if self.error is not None and not 0 <= self.error <= 1:
            raise ValueError(
                f"Trial {self.trial}: error must be a fraction, 0 <= error <= "
                f"1; received {self.error!r}. If there is no number, give None "
                "and set status to 'failed', with a reason."
            )
        taken = sorted(self.values.keys() & FIELDS)
        if taken:
            raise ValueError(
                f"Trial {self.trial}: received hyper-parameters called "
                f"{', '.join(map(repr, taken))}; these are names of columns "
                f"({', '.join(FIELDS)}). Rename them."
            )


FIELDS = tuple(field.name for field in dataclasses.fields(TrialRow))


def ranked(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Sorts the completed trials by error, best first.

    Args:
        rows: all trials, in the order in which they were started.

    Returns:
        The completed trials. At equal error, the one with fewer parameters
        comes first, then the earlier one.
    """
    return sorted(
        (row for row in rows if row.status == "completed"),
        key=lambda row: (
            row.error,
            float("inf") if row.parameters is None else row.parameters,
        ),
    )


def best(rows: Iterable[TrialRow]) -> TrialRow | None:
    """Returns the first of `ranked`; None if no trial is completed."""
    return next(iter(ranked(rows)), None)


def front(rows: Iterable[TrialRow], cost: str) -> list[TrialRow]:
    """Returns the Pareto front: no other trial is as good and as cheap.

    Args:
        rows: all trials, in the order in which they were started.
        cost: "parameters" or "multiply_adds".

    Returns:
        Completed trials of known cost, with rising cost and falling error. If
        trials are equal in both, the first of `ranked`.

    Raises:
        ValueError: for another cost.
    """
    check_choice("cost", cost, COSTS)
    known = [row for row in ranked(rows) if getattr(row, cost) is not None]
    kept = []
    for row in sorted(known, key=lambda row: (getattr(row, cost), row.error)):
        if not kept or row.error < kept[-1].error:
            kept.append(row)
    return kept


def trial_rows(trials, space) -> list[TrialRow]:
    """Returns keras-tuner's trials as rows.

    Args:
        trials: `keras_tuner` trials of `space`, in any order; the objective or
            one of the metrics is "val_error".
        space: the `SearchSpace`.

    Returns:
        One row per trial, sorted by ids, which are numbers.
    """
    return [
        _row(trial, space)
        # With a larger max_trials, keras-tuner makes longer ids.
        for trial in sorted(trials, key=lambda trial: int(trial.trial_id))
    ]


_TRACEBACK = "Traceback (most recent call last):\n"
_STATUSES = {"COMPLETED": "completed", "FAILED": "failed"}


def _row(trial, space):
    values = trial.hyperparameters.values
    cost = space.complexity(values)
    error = None
    if trial.metrics.exists(OBJECTIVE):
        error = trial.metrics.get_best_value(OBJECTIVE)
    return TrialRow(
        trial=trial.trial_id,
        status=_STATUSES.get(trial.status, "running"),
        error=error,
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        epochs=values.get(EPOCHS, space.base.epochs),
        seconds=None,
        values=space.values(values),
        reason=trial.message and _raised(trial.message),
    )


def _raised(message):
    """Returns the error; keras-tuner's tuners record the whole traceback."""
    if not message.startswith(_TRACEBACK):
        return message
    # The last error, if one was the cause of another.
    last = message.rpartition(_TRACEBACK)[2]
    error = re.search(r"^\S.*", last, re.MULTILINE | re.DOTALL)
    return re.sub(r"^[\w.]*\bFailedTrialError: ", "", error[0]).strip()


def percent(error: float) -> str:
    """Writes a fraction in percent: 12.34%."""
    return f"{100 * error:.2f}%"


def millions(number: int) -> str:
    """Writes a number in millions: 0.27M or 41M."""
    value = number / 1e6
    if value >= 10:
        return f"{value:,.0f}M"
    return f"{value:.2f}M" if value >= 0.1 else f"{value:.2g}M"


def value_text(value, digits: int = 4) -> str:
    """Writes a hyper-parameter's value; rounds numbers."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return one_line(str(value))


def values_text(values: dict) -> str:
    """Writes hyper-parameters: depth=20 learning_rate=0.1."""
    return " ".join(f"{name}={value_text(v)}" for name, v in values.items())


def summary_line(row: TrialRow, best: TrialRow | None) -> str:
    """Describes a trial in one line.

    Args:
        row: the trial.
        best: the best trial so far, if there is one.

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
    parts.append(values_text(row.values))
    if best is not None and best.trial == row.trial:
        parts.append("(best so far)")
    elif best is not None:
        parts.append(f"(best {one_line(best.trial)} {percent(best.error)})")
    return "  ".join(filter(None, parts))
