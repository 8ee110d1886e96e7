"""What a search has found: its trials, the best, the Pareto front, in words."""

import dataclasses
import re
from collections.abc import Iterable

from keras_resnetv2._checks import check_choice
from keras_resnetv2._text import brief, duration, one_line

# What trials are judged by, as keras-tuner calls it.
OBJECTIVE = "val_error"
# keras-tuner's notes among a trial's values.
PREVIOUS_TRIAL, EPOCHS = "tuner/trial_id", "tuner/epochs"
STATUSES = ("completed", "running", "failed")
COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds"}


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Attributes:
        trial: its id.
        status: "completed", "running" or "failed".
        error: on the held-out images after the last step, a fraction; None
            where there is none (yet).
        parameters: trainable ones; None if unknown.
        multiply_adds: of one image's forward pass; None if unknown.
        epochs: in the trial's network, those of earlier rungs included.
        seconds: its network was trained, in earlier rungs as well; None if
            unknown.
        values: hyper-parameter -> value; without those that do not apply (a
            gate's bias where there is no gate).
        reason: why it failed.

    Raises:
        ValueError: for an unknown status, an error that is no fraction, a
            completed trial without an error, or a hyper-parameter that is
            called as one of these attributes.
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
                f"Trial {self.trial} is completed without an error: received "
                "error=None; expected a fraction. Make it a failed one, with "
                "a reason."
            )
        if self.error is not None and not 0 <= self.error <= 1:
            raise ValueError(
                f"Trial {self.trial}: error is a fraction, 0 <= error <= 1; "
                f"received {self.error!r}. Where there is no number, give None "
                "and make the trial a failed one, with a reason."
            )
        taken = sorted(self.values.keys() & FIELDS)
        if taken:
            raise ValueError(
                f"Trial {self.trial}: received hyper-parameters called "
                f"{', '.join(map(repr, taken))}; expected other names than "
                f"those of the columns ({', '.join(FIELDS)}). Rename them."
            )


FIELDS = tuple(field.name for field in dataclasses.fields(TrialRow))


def ranked(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """The completed trials by error, the best first.

    Args:
        rows: all trials, in the order in which they were started.

    Returns:
        The completed ones; of equal error first the one with fewer
        parameters, then the earlier.
    """
    return sorted(
        (row for row in rows if row.status == "completed"),
        key=lambda row: (
            row.error,
            float("inf") if row.parameters is None else row.parameters,
        ),
    )


def best(rows: Iterable[TrialRow]) -> TrialRow | None:
    """The first of `ranked`; None where no trial is completed."""
    return next(iter(ranked(rows)), None)


def front(rows: Iterable[TrialRow], cost: str) -> list[TrialRow]:
    """The Pareto front: no other trial is as good at no more cost.

    Args:
        rows: all trials, in the order in which they were started.
        cost: "parameters" or "multiply_adds".

    Returns:
        Completed trials of known cost, with rising cost and falling error; of
        trials equal in both the first of `ranked`.

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
    """keras-tuner's trials as rows.

    Args:
        trials: `keras_tuner` trials of `space`, in any order; the objective or
            one of the metrics is "val_error".
        space: the `SearchSpace`.

    Returns:
        One a trial, by their ids, which are numbers.
    """
    return [
        _row(trial, space)
        # Of more max_trials, keras-tuner makes longer ids.
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
    """What was raised; keras-tuner's own tuners note the whole traceback."""
    if not message.startswith(_TRACEBACK):
        return message
    # The last one's, where one error was the cause of another.
    last = message.rpartition(_TRACEBACK)[2]
    error = re.search(r"^\S.*", last, re.MULTILINE | re.DOTALL)
    return re.sub(r"^[\w.]*\bFailedTrialError: ", "", error[0]).strip()


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
