"""The result of a run, the summary of a row's runs, and results.jsonl."""

import dataclasses
import datetime
import json
import math
import pathlib
import statistics
from collections.abc import Iterable, Sequence

from keras_resnetv2._checks import check_choice, check_finite
from keras_resnetv2._files import write_atomically
from keras_resnetv2._text import brief
from keras_resnetv2.studies.study import FAIL, run_name
from keras_resnetv2.training.logs import read_rows
from keras_resnetv2.training.networks import network_config
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.training.workdir import Workdir

STATUSES = ("completed", "diverged")


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        run: its name, see `run_name`.
        status: "completed" or "diverged".
        reason: the error message of a diverged training; else None.
        seed: the run's seed.
        experiment: the fields of its `Experiment`.
        config: the fields of its network's `ResNetConfig`.
        schedule: recipe, total steps and (whole) epochs, batch_size, and the
            learning rate at the end of every epoch.
        train_error: by epoch, a fraction: measured over the epoch, on augmented
            images, while the weights change.
        test_error: by epoch, a fraction of the whole test set.
        last: the test error of the last epoch, which is the one to report; None
            if the training diverged.
        best: the lowest test error of any epoch. It was chosen on the test set
            and must not be compared. None if there is none.
        seconds: total time of the epochs.
        finished: when it ended, ISO 8601 in UTC.
        versions: versions of the packages; several, such as "3.15.1, 3.16.0",
            if it resumed with another version.
        device: the device or devices on which it ran.
    """

    run: str
    status: str
    reason: str | None
    seed: int
    experiment: dict
    config: dict
    schedule: dict
    train_error: list[float]
    test_error: list[float]
    last: float | None
    best: float | None
    seconds: float
    finished: str | None
    versions: dict
    device: str

    __repr__ = brief


def result_of(workdir: Workdir, diverged: str | None = None) -> Result:
    """Collects the result of a finished training.

    Args:
        workdir: its work directory.
        diverged: its error message, if it diverged.

    Raises:
        ValueError: if this is not a training's work directory, or epochs are
            missing.
    """
    experiment, facts = workdir.read()
    rows = read_rows(workdir.metrics)
    errors = [round(row.test_error, 6) for row in rows]
    finished = None
    if rows:
        finished = datetime.datetime.fromtimestamp(rows[-1].time, datetime.UTC)
    steps = experiment.total_steps(facts.images)
    missing = [row.epoch for row in rows] != list(range(1, len(rows) + 1))
    if missing or not (diverged or rows and rows[-1].step == steps):
        raise ValueError(
            f"{workdir.metrics} does not contain all epochs of this training's "
            f"{steps:,} steps. Restore the file, or remove the run's directory "
            "to train again."
        )
    versions, device = _made_by(workdir)
    return Result(
        run=run_name(experiment),
        status="diverged" if diverged else "completed",
        reason=diverged,
        seed=experiment.seed,
        experiment=dataclasses.asdict(experiment),
        config=dataclasses.asdict(network_config(experiment, facts)),
        schedule={
            "recipe": experiment.recipe,
            "steps": steps,
            "epochs": math.ceil(
                steps / experiment.steps_per_epoch(facts.images)
            ),
            "batch_size": experiment.images_per_step,
            "learning_rate": find_recipe(experiment.recipe).rate(
                experiment.learning_rate, experiment.batch_size
            ),
            "rates": [row.learning_rate for row in rows],
        },
        train_error=[round(row.train_error, 6) for row in rows],
        test_error=errors,
        last=None if diverged else errors[-1],
        best=min(errors, default=None),
        seconds=round(sum(row.seconds for row in rows), 2),
        finished=finished and finished.isoformat(timespec="seconds"),
        versions=versions,
        device=device,
    )


def _made_by(workdir):
    """Returns versions and device of a training's sessions, in order."""
    sessions = workdir.sessions()
    names = dict.fromkeys(name for one in sessions for name in one["versions"])
    versions = {
        name: _joined(one["versions"].get(name) for one in sessions)
        for name in names
    }
    return versions, _joined(one["device"] for one in sessions)


def _joined(values):
    return ", ".join(dict.fromkeys(filter(None, values)))


def read_results(path: pathlib.Path) -> dict[str, Result]:
    """Reads results.jsonl; without the file there are no results.

    Returns:
        The results by run name, in the file's order.

    Raises:
        ValueError: if the file is not in the format of `write_results`.
    """
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            result = _checked(Result(**json.loads(line)))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}, is not a run's result "
                f"({type(error).__name__}: {error}). Remove the line. The next "
                "call restores it from the run's work directory."
            ) from error
        found[result.run] = result
    return found


def _checked(result):
    """Checks the values that a report computes with."""
    check_choice("status", result.status, STATUSES)
    errors = [*result.train_error, *result.test_error]
    if result.status == "completed":
        errors.append(result.last)
    for number in (*errors, result.seconds, *result.schedule["rates"]):
        check_finite("an error, a rate or a time", number)
    for name in ("steps", "epochs", "batch_size"):
        check_finite(name, result.schedule[name])
    if result.last is not None and not result.train_error:
        raise ValueError("a completed run must have epochs")
    return result


def write_results(path: pathlib.Path, results: Iterable[Result]) -> None:
    """Writes results.jsonl completely or not at all."""
    lines = [json.dumps(dataclasses.asdict(result)) for result in results]
    write_atomically(path, "".join(line + "\n" for line in lines))


@dataclasses.dataclass(frozen=True)
class Summary:
    """Summary of a row's runs; errors in %, None without runs.

    Attributes:
        runs: number of runs, including diverged ones.
        diverged: number of diverged runs.
        median: median of the last epochs' test errors, as in the paper; "fail"
            if at least half of the runs diverged.
        mean: their mean; None if a run diverged.
        spread: their sample standard deviation; None for a single run, or if
            a run diverged.
        train: median of the last epochs' train errors, or "fail".
    """

    runs: int
    diverged: int
    median: float | str | None
    mean: float | None
    spread: float | None
    train: float | str | None


def summarize(results: Sequence[Result]) -> Summary:
    """Summarizes the runs of a row.

    It does not use a run's best epoch, which was chosen on the test set.

    Args:
        results: results of the same network, one per seed; may be empty.
    """
    errors = last_errors(results)
    train = [
        math.inf if result.last is None else 100 * result.train_error[-1]
        for result in results
    ]
    finite = all(map(math.isfinite, errors))
    return Summary(
        runs=len(results),
        diverged=sum(map(math.isinf, errors)),
        median=_median(errors),
        mean=statistics.fmean(errors) if errors and finite else None,
        spread=statistics.stdev(errors) if len(errors) > 1 and finite else None,
        train=_median(train),
    )


def error_text(error: float | str | None) -> str:
    """Writes an error in %; "fail" stays, and None becomes empty."""
    if error is None or error == FAIL:
        return error or ""
    return f"{error:.2f}"


def last_errors(results: Sequence[Result]) -> list[float]:
    """Returns the final test errors in %; infinite for diverged runs."""
    return [
        math.inf if result.last is None else 100 * result.last
        for result in results
    ]


def _median(errors):
    if not errors:
        return None
    median = statistics.median(errors)
    return median if math.isfinite(median) else FAIL
