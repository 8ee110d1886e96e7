"""A study's errors beside the propagation measured in its networks."""

import csv

from keras_resnetv2._text import markdown_table
from keras_resnetv2.analysis import Propagation, UnitRow
from keras_resnetv2.analysis.equations import ratio
from keras_resnetv2.studies.results import error_text, summarize
from tables.results import read

_HEAD = (
    "",
    "test error",
    "signal, first to last",
    "product of the factors",
    "gradient through the shortcuts",
    "whole gradient",
    "samples cancelled",
)
_TEXTS = ("unit", "shortcut", "dimension_change")


def measured(name: str) -> dict[str, Propagation]:
    """Returns what `propagation.csv` of each row says, by the row's label.

    Args:
        name: a directory of results/. It has propagation/ROW.csv for each row,
            measured on 64 test images, as in a training step.
    """
    directory, plan, results = read(name)
    return {
        f"{row.label}: {error_text(summarize(results[row.name]).median)}": (
            _propagation(file)
        )
        for row in plan.study.rows
        if (file := directory.path / "propagation" / f"{row.name}.csv").exists()
    }


def _propagation(file):
    with open(file, newline="") as lines:
        *rows, last = csv.DictReader(lines)
    return Propagation(
        model=file.stem,
        samples=64,
        training=True,
        rows=tuple(
            UnitRow(
                **{
                    name: value if name in _TEXTS else float(value)
                    for name, value in row.items()
                }
            )
            for row in rows
        ),
        last_signal=float(last["signal"]),
        last_gradient=float(last["gradient"]),
    )


def table(name: str) -> str:
    """Returns a row for each network: its error, and values at unit 1."""
    rows = []
    for label, whole in measured(name).items():
        first, last = whole.rows[0], whole.last_gradient
        rows.append(
            (
                *label.rsplit(": ", 1),
                f"{first.signal:.3g} to {whole.last_signal:.3g}",
                f"{first.product:.2g}",
                f"{ratio(first.direct, last):.2g}",
                f"{ratio(first.gradient, last):.2g}",
                f"{first.cancelled:.0%}",
            )
        )
    return markdown_table(_HEAD, rows) + "\n"
