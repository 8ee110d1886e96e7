"""Draws the pictures of docs/evidence.md that no report contains.

python tools/plot_results.py
"""

import math
import textwrap

import numpy as np
from absl import app
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from tables.propagation import measured
from tables.results import RESULTS, read

from keras_resnetv2._plots import draw_epochs, line_styles, save_figure
from keras_resnetv2.analysis import plot_propagation
from keras_resnetv2.studies.curves import ERROR_OF, draw_band
from keras_resnetv2.studies.results import error_text, last_errors, summarize
from keras_resnetv2.studies.sections import agreement_lines
from keras_resnetv2.studies.study import FAIL

_PANELS = ("signal", "product", "direct", "cancelled")
# What is drawn by epoch, as fractions.
_ERRORS = {
    "train error": ERROR_OF["train"],
    "test error": ERROR_OF["test"],
    "test error - train error": lambda run: np.subtract(
        run.test_error, run.train_error
    ),
}


def draw_propagation(name: str) -> None:
    """Draws propagation.png: errors beside the measured propagation."""
    plot_propagation(
        measured(name),
        RESULTS / name / "propagation.png",
        panels=_PANELS,
        title="In the legend: the test error, in %",
    )


def draw_gap(name: str) -> None:
    """Draws gap.png: train error, test error and their difference by epoch.

    A line is the median over the runs, and the band behind it their range.
    """
    directory, plan, results = read(name)
    rows = [row for row in plan.study.rows if results[row.name]]
    figure = Figure(figsize=(12, 4.3), layout="constrained")
    for axes, (title, error) in zip(figure.subplots(1, 3), _ERRORS.items()):
        for row, style in zip(rows, line_styles(len(rows), thinnest=1.8)):
            runs = results[row.name]
            errors = 100 * np.stack([error(run) for run in runs])
            band = [errors.min(0), np.median(errors, axis=0), errors.max(0)]
            last = error_text(summarize(runs).median)
            label = f"{row.label}: {last} (median of {len(runs)})"
            draw_band(axes, label, np.transpose(band), style)
        epochs = range(1, len(errors[0]) + 1)
        draw_epochs(axes, epochs, runs[0].schedule["rates"])
        axes.set_title(f"{title}, in %")
        axes.grid(alpha=0.3)
    figure.legend(
        *figure.axes[1].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
    )
    save_figure(figure, directory.path / "gap.png", dpi=110)


def draw_ranking(name: str) -> None:
    """Draws ranking.png: our errors, with the rows in the published order.

    A dot is a run, a bar the median of a row. If our ranking were the published
    one, the bars would rise from left to right.
    """
    directory, plan, results = read(name)
    source = plan.study.sources[0]
    tables = plan.study.tables
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True)
    for axes, (title, names) in zip(panels, tables.items()):
        rows = [plan.study.row(name) for name in names if results[name]]
        rows.sort(key=lambda row: _order(row.published.get(source)))
        for place, row in enumerate(rows):
            errors = last_errors(results[row.name])
            axes.plot([place] * len(errors), errors, "o", ms=4, color="C0")
            axes.hlines(np.median(errors), place - 0.3, place + 0.3, lw=2)
        axes.set_xticks(
            range(len(rows)),
            [f"{row.label} ({row.published.get(source, '-')})" for row in rows],
            rotation=30,
            ha="right",
        )
        agreement = next(
            agreement_lines(plan, {name: results[name] for name in names})
        )
        axes.set_title(f"{title}\n{textwrap.fill(agreement, 46)}", fontsize=9)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].set_ylabel("our test error, %")
    figure.supxlabel(f"in parentheses: {source}", fontsize=9)
    save_figure(figure, directory.path / "ranking.png", dpi=110)


def _order(published):
    if published is None:
        return math.inf
    return 100.0 if published == FAIL else published


def main(argv):
    """Draws all of them."""
    draw_propagation("resnet56-4-epochs")
    draw_gap("quick-164-epochs")
    draw_ranking("resnet20-10-epochs")


if __name__ == "__main__":
    app.run(main)
