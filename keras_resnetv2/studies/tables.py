"""The tables of a report as text, independent of the output format."""

import dataclasses
from collections.abc import Mapping, Sequence

from keras_resnetv2._text import duration
from keras_resnetv2.studies.results import (
    Result,
    Summary,
    error_text,
    summarize,
)
from keras_resnetv2.studies.study import FAIL, Study

_SUMMARY_COLUMNS = {
    "runs": lambda summary: _runs(summary),
    "median": lambda summary: error_text(summary.median),
    "mean": lambda summary: error_text(summary.mean),
    "spread": lambda summary: error_text(summary.spread),
    "train": lambda summary: error_text(summary.train),
}
# With a single run, median and mean are the same number.
_ONE_RUN_COLUMNS = {
    "error": _SUMMARY_COLUMNS["median"],
    "train": _SUMMARY_COLUMNS["train"],
}
_RUN_COLUMNS = {
    "seed": lambda result: str(result.seed),
    "epochs": lambda result: str(len(result.test_error)),
    "test error": lambda result: _percent(result, result.test_error),
    "train error": lambda result: _percent(result, result.train_error),
    "time": lambda result: duration(result.seconds),
    "finished (UTC)": lambda result: (result.finished or "")[:16],
    "device": lambda result: result.device,
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text; "" is a blank cell.

    Attributes:
        caption: the caption.
        head: the headings of the columns.
        rows: the cells of each row, as many as headings. The first cell is the
            heading of the row.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def comparison_table(
    study: Study,
    names: Sequence[str],
    results: Mapping[str, Sequence[Result]],
    caption: str,
) -> Table:
    """Returns a table of our errors beside the published ones.

    Args:
        study: the study.
        names: names of the rows.
        results: the runs of each row.
        caption: caption of the table.
    """
    rows = [study.row(name) for name in names]
    sources = [
        source
        for source in study.sources
        if any(source in row.published for row in rows)
    ]
    summaries = [summarize(results[name]) for name in names]
    several = any(summary.runs > 1 for summary in summaries)
    columns = _SUMMARY_COLUMNS if several else _ONE_RUN_COLUMNS
    return Table(
        caption,
        ("", *columns, *sources),
        tuple(
            (
                row.label,
                *_cells(columns, summary),
                *(error_text(row.published.get(source)) for source in sources),
            )
            for row, summary in zip(rows, summaries)
        ),
    )


def runs_table(results: Mapping[str, Sequence[Result]]) -> Table:
    """Returns a table of all runs, one per line.

    Args:
        results: the runs of each row, by row name: labels may repeat in
            another table.
    """
    return Table(
        "Every run",
        ("row", *_RUN_COLUMNS),
        tuple(
            (name, *_cells(_RUN_COLUMNS, result))
            for name, runs in results.items()
            for result in runs
        ),
    )


def _cells(columns, values):
    return (write(values) for write in columns.values())


def _runs(summary: Summary):
    if summary.diverged:
        return f"{summary.runs}, {summary.diverged} diverged"
    return str(summary.runs) if summary.runs else ""


def _percent(result, errors):
    return FAIL if result.last is None else error_text(100 * errors[-1])
