"""A study's part of a report, independent of the output format."""

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from keras_resnetv2._text import duration
from keras_resnetv2.studies.agreement import rank_agreement
from keras_resnetv2.studies.curves import ERROR_OF, error_curves
from keras_resnetv2.studies.paper import STUDIES
from keras_resnetv2.studies.plan import Plan
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.study import FAIL
from keras_resnetv2.studies.tables import (
    Table,
    comparison_table,
    runs_table,
)
from keras_resnetv2.training.recipes import find_recipe

HOW_TO_READ = (
    "Errors are in %, after the last epoch. Median, mean and spread (the "
    "sample standard deviation) are taken over the runs' test errors. If rows "
    "have one run only, the column error gives its test error. The paper's "
    "figures are medians of 5 runs. Train is the median train error, measured "
    "over the epoch on augmented images. A blank cell means that there is no "
    "such number. Fail means that our runs diverged, or that the published "
    "error was above 20 %.",
    "A curve is the median over the runs. The band behind it spans the lowest "
    "to the highest error. The number in the legend is the last epoch's error.",
    "Rankings are compared by Kendall's tau-b: 1 means the same order, -1 the "
    "opposite order. The interval is a bootstrap over the seeds. It is rough "
    "with so few seeds, and it ignores the noise in the published figures. "
    "Failed rows rank last. In a comparison with published fails, our errors "
    "above 20 % after the recipe's full schedule also count as failed.",
)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        file: its file name, in the report's directory.
        alt: its description.
        svg: its source.
    """

    file: str
    alt: str
    svg: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One of a study's tables, with agreement and figures.

    Attributes:
        title: title of the table.
        table: our errors and the published ones.
        agreement: one sentence per source; none if there is no run.
        figures: the curves; none if there is no run.
    """

    title: str
    table: Table
    agreement: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclasses.dataclass(frozen=True)
class Section:
    """A study.

    Attributes:
        title: title of the study.
        cautions: warnings to read before the numbers.
        comparisons: its tables.
        notes: the study's notes, and the diverged runs.
        facts: hardware, software, time.
        command: the command that gives these results; "" if the study is not
            part of the package.
        runs: a table with one line per run.
    """

    title: str
    cautions: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    facts: dict[str, str]
    command: str
    runs: Table


def section_of(plan: Plan, results: Mapping[str, Result]) -> Section:
    """Collects a study's part of a report.

    Args:
        plan: the study and how it is run.
        results: results by run name; may include those of other studies.
    """
    study = plan.study
    found = plan.results(results)
    runs = [result for row in study.rows for result in found[row.name]]
    diverged = (
        f"Diverged: {row.name}, seed {result.seed}: {result.reason}"
        for row in study.rows
        for result in found[row.name]
        if result.last is None
    )
    return Section(
        title=study.title,
        cautions=tuple(cautions(plan)),
        comparisons=tuple(
            _comparison(plan, number, title, names, found)
            for number, (title, names) in enumerate(study.tables.items(), 1)
        ),
        notes=(*study.notes, *diverged),
        facts=facts(plan, runs),
        command=command(plan, found),
        runs=runs_table(found),
    )


def _comparison(plan, number, title, names, found):
    study = plan.study
    of_rows = {name: found[name] for name in names}
    labelled = [(study.row(name).label, of_rows[name]) for name in names]
    caption = f"Test error (%), {schedule_line(plan, of_rows.values())}"
    figures = (
        Figure(
            file=f"report-{study.name}-{number}-{split}.svg",
            alt=f"{title}: {split} error by epoch",
            svg=svg,
        )
        for split in ERROR_OF
        if (svg := error_curves(labelled, split))
    )
    return Comparison(
        title=title,
        table=comparison_table(study, names, of_rows, caption),
        agreement=tuple(agreement_lines(plan, of_rows)),
        figures=tuple(figures),
    )


def _limit(plan, pairs):
    """Returns the paper's 20 % if its fails and full trainings are compared."""
    has_fails = any(published == FAIL for published, _ in pairs)
    return 20.0 if has_fails and not is_shortened(plan) else math.inf


def agreement_lines(
    plan: Plan, results: Mapping[str, Sequence[Result]]
) -> Iterator[str]:
    """Yields how our ranking of rows agrees with that of each source.

    Args:
        plan: the study and how it is run.
        results: the runs of each row that is compared, by its name.
    """
    study = plan.study
    if not any(results.values()):
        return
    for source in study.sources:
        pairs = [
            (study.row(name).published.get(source), runs)
            for name, runs in results.items()
        ]
        if all(published is None for published, _ in pairs):
            continue
        head = f"Ranking agreement with {source}: "
        try:
            found = rank_agreement(pairs, fails_above=_limit(plan, pairs))
        except ValueError as error:
            yield f"{head}none. {error}"
            continue
        yield (
            f"{head}Kendall's tau-b {found.tau:.2f}, 95 % interval "
            f"{found.low:.2f} to {found.high:.2f}, from {found.rows} rows with "
            f"at least {found.runs} runs each."
        )


def facts(plan: Plan, results: Sequence[Result]) -> dict[str, str]:
    """Returns hardware, software and time, one line each.

    Args:
        plan: the study and how it is run.
        results: all its runs so far.
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
        f"{device} ({_runs(count)})" for device, count in devices.items()
    )
    found["Software"] = ", ".join(_versions(results))
    seconds = [result.seconds for result in results]
    if sum(seconds):  # not all diverged in their first epoch
        found["Time"] = (
            f"{duration(sum(seconds))} in total, "
            f"{duration(statistics.median(seconds))} per run (median), "
            f"{sum(map(_images, results)) / sum(seconds):,.0f} images/s per "
            "run; includes tests, excludes start-up; runs that shared a device "
            "count in full"
        )
    days = sorted(
        {result.finished[:10] for result in results if result.finished}
    )
    if days:
        found["Finished"] = " to ".join(dict.fromkeys((days[0], days[-1])))
    return found


def command(plan: Plan, results: Mapping[str, Sequence[Result]]) -> str:
    """Returns the command that gives these results.

    Args:
        plan: the study and how it is run.
        results: the runs of each row, by row name.

    Returns:
        The command; "" if the study is not part of the package.
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
    return " ".join(["keras-resnetv2-ablation", *flags, "--workdir=..."])


def _versions(results):
    seen = {}
    for result in results:
        for name, version in result.versions.items():
            seen.setdefault(name, {})[version] = True
    return [f"{name} {' or '.join(found)}" for name, found in seen.items()]


def _images(result):
    """Returns the number of training images that were processed."""
    schedule = result.schedule
    done = len(result.train_error) / schedule["epochs"]
    return done * schedule["steps"] * schedule["batch_size"]


def _runs(count):
    return f"{count} run{'s' * (count != 1)}"


_PUBLISHED_ON = {"cifar10", "cifar100"}


def schedule_line(plan: Plan, results: Iterable[Sequence[Result]]) -> str:
    """Returns length, precision and number of runs, for a table's caption.

    Args:
        plan: the study and how it is run.
        results: the runs of each of the table's rows.

    Returns:
        For example "10 epochs, 3,910 steps of 128, mixed_bfloat16, 1 run per
        row". The steps are those of the existing runs.
    """
    results = list(results)
    schedules = [result.schedule for runs in results for result in runs]
    epochs = sorted({s["epochs"] for s in schedules}) or [
        math.ceil(_epochs(plan))
    ]
    steps = sorted({(s["steps"], s["batch_size"]) for s in schedules})
    parts = [f"{' or '.join(map(str, epochs))} epochs"]
    if steps:
        parts.append(" or ".join(f"{n:,} steps of {size}" for n, size in steps))
    return ", ".join([*parts, plan.precision, _runs_a_row(results)])


def cautions(plan: Plan) -> list[str]:
    """Returns the reasons not to compare the errors with published ones."""
    study = plan.study
    full = find_recipe(study.recipe).epochs
    found = []
    if is_shortened(plan):
        found.append(
            f"A shortened schedule: {_epochs(plan):g} of the {full:.0f} epochs "
            f"of the recipe {study.recipe!r}. The published errors are from "
            "full trainings: compare these rows with each other only."
        )
    others = {row.dataset for row in study.rows} - _PUBLISHED_ON
    if others:
        found.append(
            f"Trained and tested on {', '.join(sorted(others))}, not on the "
            "data of the published errors: a comparison with them is "
            "meaningless."
        )
    return found


def is_shortened(plan: Plan) -> bool:
    """Returns whether a study's runs are shorter than its recipe."""
    return _epochs(plan) < find_recipe(plan.study.recipe).epochs


def _epochs(plan):
    recipe = find_recipe(plan.study.recipe)
    return recipe.epochs if plan.length is None else plan.length


def _runs_a_row(results):
    counts = [len(runs) for runs in results]
    low, high = min(counts), max(counts)
    if not high:
        return "no run yet"
    some = "" if low == high else f"{low} to "
    return f"{some}{_runs(high)} per row"
