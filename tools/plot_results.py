"""Draws the pictures of docs/evidence.md that no report contains.

python tools/plot_results.py
"""

import numpy as np
from absl import app
from matplotlib.figure import Figure
from tables.propagation import measured
from tables.results import RESULTS, read

from keras_resnetv2._plots import draw_epochs, line_styles, save_figure
from keras_resnetv2.analysis import plot_propagation
from keras_resnetv2.studies.curves import ERROR_OF, draw_band
from keras_resnetv2.studies.results import error_text, summarize

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


def main(argv):
    """Draws all of them."""
    draw_propagation("resnet56-4-epochs")
    draw_gap("quick-164-epochs")


if __name__ == "__main__":
    app.run(main)
