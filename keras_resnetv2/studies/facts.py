"""What a study was run on, for how long, and by which command."""

import collections
import statistics
from collections.abc import Mapping, Sequence

from keras_resnetv2._plain_text import duration
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.studies import STUDIES
from keras_resnetv2.studies.studydir import Plan


def facts(plan: Plan, results: Sequence[Result]) -> dict[str, str]:
    """Hardware, software and time, each in a line.

    Args:
        plan: the study.
        results: all its runs that there are.
    """
    diverged = sum(result.last is None for result in results)
    found = {
        "Runs": f"{len(results)} of {len(plan.runs())} done, "
        f"{diverged} diverged"
    }
    if not results:
        return found
    devices = collections.Counter(result.device for result in results)
    found["Hardware"] = "; ".join(
        f"{device} ({_number(count, 'run')})"
        for device, count in devices.items()
    )
    found["Software"] = ", ".join(_versions(results))
    seconds = [result.seconds for result in results]
    if sum(seconds):  # not all diverged in their first epoch
        found["Time"] = (
            f"{duration(sum(seconds))} in all, "
            f"{duration(statistics.median(seconds))} a run (median), "
            f"{sum(map(_images, results)) / sum(seconds):,.0f} images/s a run; "
            "tests included, starts left out, and of runs that shared a device "
            "each in full"
        )
    days = sorted(
        {result.finished[:10] for result in results if result.finished}
    )
    if days:
        found["Finished"] = " to ".join(dict.fromkeys((days[0], days[-1])))
    return found


def command(plan: Plan, results: Mapping[str, Sequence[Result]]) -> str:
    """The command that gives these results; "" of a study that is not shipped.

    Args:
        plan: the study.
        results: the runs of each row, by its name.
    """
    if plan.study.name not in STUDIES:
        return ""
    settings = {"study": plan.study.name}
    if plan.epochs is not None:
        settings["epochs"] = plan.epochs
    settings["seeds"] = plan.seeds
    rows = [name for name, runs in results.items() if runs]
    if rows and len(rows) < len(plan.study.rows):
        settings["rows"] = ",".join(rows)
    if plan.precision != "float32":
        settings["precision"] = plan.precision
    flags = (f"--{name}={value}" for name, value in settings.items())
    return " ".join(["tools/ablation.py", *flags, "--workdir=..."])


def _versions(results):
    seen = {}
    for result in results:
        for name, version in result.versions.items():
            seen.setdefault(name, {})[version] = True
    return [f"{name} {' or '.join(found)}" for name, found in seen.items()]


def _images(result):
    """Number of training images that passed."""
    schedule = result.schedule
    done = len(result.train_error) / schedule["epochs"]
    return done * schedule["steps"] * schedule["batch_size"]


def _number(count, what):
    return f"{count} {what}{'s' * (count != 1)}"
