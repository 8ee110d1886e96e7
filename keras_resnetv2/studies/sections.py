"""A study's part of a report, whatever it is then written in."""

import dataclasses
import math
from collections.abc import Mapping

from keras_resnetv2.studies.agreement import rank_agreement
from keras_resnetv2.studies.curves import SPLITS, error_curves
from keras_resnetv2.studies.facts import command, facts
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.schedules import (
    cautions,
    is_shortened,
    schedule_line,
)
from keras_resnetv2.studies.study import FAIL
from keras_resnetv2.studies.studydir import Plan
from keras_resnetv2.studies.tables import (
    Table,
    comparison_table,
    runs_table,
)

HOW_TO_READ = (
    "Errors are in %, of the last epoch. Median, mean and spread (the sample "
    "standard deviation) are of the runs' test errors; the paper's figures are "
    "medians of 5 runs. Train is the median of the train errors, of augmented "
    "images and over the epoch. A blank cell: there is no such number. Fail: "
    "ours diverged; the published error was above 20 %.",
    "A curve is the median over the runs, the band behind it goes from the "
    "lowest to the highest, its number is the last epoch's. Where a line is "
    "dotted and upright, the learning rate falls.",
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
        plan: the study.
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
        for split in SPLITS
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
