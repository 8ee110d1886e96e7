"""What a search has found: its trials, the best, the Pareto front."""

import dataclasses
import re
from collections.abc import Iterable

from keras_resnetv2._checks import check_choice

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
