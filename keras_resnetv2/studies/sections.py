"""A study's part of a report, whatever it is then written in."""

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from keras_resnetv2._text import duration
from keras_resnetv2.studies.agreement import rank_agreement
from keras_resnetv2.studies.curves import ERROR_OF, error_curves
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.studies import STUDIES
from keras_resnetv2.studies.study import FAIL
from keras_resnetv2.studies.studydir import Plan
from keras_resnetv2.studies.tables import (
    Table,
    comparison_table,
    runs_table,
)
from keras_resnetv2.training.recipes import find_recipe

HOW_TO_READ = (
    "Errors are in %, of the last epoch. Median, mean and spread (the sample "
    "standard deviation) are of the runs' test errors, error that of a row's "
    "only run. The paper's figures are medians of 5 runs. Train is the median "
    "of the train errors, of augmented images and over the epoch. A blank "
    "cell: there is no such number. Fail: ours diverged; the published error "
    "was above 20 %.",
    "A curve is the median over the runs, the band behind it goes from the "
    "lowest to the highest, its number is the last epoch's.",
    "Rankings are compared by Kendall's tau-b: 1 is the same order, -1 the "
    "opposite one. The interval is a bootstrap over the seeds; it is a rough "
    "one with so few of them, and leaves the published figures' own noise out. "
    "What fails ranks last; beside published fails, and after the recipe's "
    "full schedule, ours above 20 % do, too.",
)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        file: its name beside the report.
        alt: what it shows.
        svg: its source.
    """

    file: str
    alt: str
    svg: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One of a study's tables, and what belongs to it.

    Attributes:
        title: of the table.
        table: ours and the published errors.
        agreement: sentences, one a source; none where there is no run.
        figures: the curves; none where there is no run.
    """

    title: str
    table: Table
    agreement: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclasses.dataclass(frozen=True)
class Section:
    """A study.

    Attributes:
        title: of the study.
        cautions: what has to be read before the numbers.
        comparisons: its tables.
        notes: the study's own, and what diverged.
        facts: hardware, software, time.
        command: that gives these results; "" of a study that is not shipped.
        runs: a line a run.
    """

    title: str
    cautions: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    facts: dict[str, str]
    command: str
    runs: Table


def section_of(plan: Plan, results: Mapping[str, Result]) -> Section:
    """Gathers what there is to say of a study.

    Args:
        plan: the study and how it is run.
        results: by the names of their runs; of other studies, too.
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
        agreement=tuple(_agreement(plan, of_rows)),
        figures=tuple(figures),
    )


def _limit(plan, pairs):
    """The paper's 20 %, where its fails and full trainings are compared."""
    has_fails = any(published == FAIL for published, _ in pairs)
    return 20.0 if has_fails and not is_shortened(plan) else math.inf


def _agreement(plan, results):
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
            f"{found.low:.2f} to {found.high:.2f}, of {found.rows} rows with "
            f"{found.runs} runs or more each."
        )


def facts(plan: Plan, results: Sequence[Result]) -> dict[str, str]:
    """Hardware, software and time, each in a line.

    Args:
        plan: the study and how it is run.
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
        f"{device} ({_runs(count)})" for device, count in devices.items()
    )
    found["Software"] = ", ".join(_versions(results))
    seconds = [result.seconds for result in results]
    if sum(seconds):  # not all diverged in their first epoch
        found["Time"] = (
            f"{duration(sum(seconds))} in all, "
            f"{duration(statistics.median(seconds))} a run (median), "
            f"{sum(map(_images, results)) / sum(seconds):,.0f} images/s a run; "
            "tests included, start-up excluded; runs that shared a device "
            "count in full"
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
        plan: the study and how it is run.
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
    return " ".join(["keras-resnetv2-ablation", *flags, "--workdir=..."])


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


def _runs(count):
    return f"{count} run{'s' * (count != 1)}"


_PUBLISHED_ON = {"cifar10", "cifar100"}


def schedule_line(plan: Plan, results: Iterable[Sequence[Result]]) -> str:
    """Length, precision and number of runs: what the head of a table says.

    Args:
        plan: the study and how it is run.
        results: the runs of each of the table's rows.

    Returns:
        "10 epochs, 3,910 steps of 128, mixed_bfloat16, 1 run a row". The steps
        are those of the runs there are.
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
    """Why the study's errors are not to be held against the published ones."""
    study = plan.study
    full = find_recipe(study.recipe).epochs
    found = []
    if is_shortened(plan):
        found.append(
            f"A shortened schedule: {_epochs(plan):g} of the {full:.0f} epochs "
            f"of the recipe {study.recipe!r}. The published errors are of full "
            "trainings: compare these rows with each other, not with them."
        )
    others = {row.dataset for row in study.rows} - _PUBLISHED_ON
    if others:
        found.append(
            f"Trained and tested on {', '.join(sorted(others))}, not on the "
            "data of the published errors: no comparison with them means "
            "anything."
        )
    return found


def is_shortened(plan: Plan) -> bool:
    """Whether a study's runs are shorter than its recipe's."""
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
    return f"{some}{_runs(high)} a row"
