"""Plots errors by epoch."""

import io
from collections.abc import Sequence

import numpy as np

from keras_resnetv2._plots import LITERAL, draw_epochs, line_styles
from keras_resnetv2.studies.results import Result, error_text, summarize

ERROR_OF = {
    "test": lambda result: result.test_error,
    "train": lambda result: result.train_error,
}
_LAST = {
    "test": lambda summary: summary.median,
    "train": lambda summary: summary.train,
}
# The ticks in a decade, by the least ratio of the largest to smallest error.
_TICKS = ((15, (1, 2, 5)), (1, (1, 1.5, 2, 3, 4, 5, 7)))
_FLOOR = 0.01  # %: a logarithm of 0 cannot be drawn
_SETTINGS = {
    **LITERAL,
    "font.size": 11,
    # Without fonts and random ids, every machine and call gives the same file.
    "svg.fonttype": "path",
    "svg.hashsalt": "keras_resnetv2",
}


def error_curves(
    rows: Sequence[tuple[str, Sequence[Result]]], split: str
) -> str | None:
    """Plots the errors of all rows by epoch.

    A line is the median over the runs. The band behind it spans the lowest to
    the highest error. A diverged run counts as 100 %. Line and band end where
    the median run diverged. The picture is narrow, to suit a phone.

    Args:
        rows: (label, runs) for each row. Rows without runs are left out.
        split: "test" or "train".

    Returns:
        An SVG, the same for the same results; None if there is no epoch.
    """
    import matplotlib
    from matplotlib.figure import Figure

    bands = [
        (label, runs, band)
        for label, runs in rows
        if runs and len(band := _band([ERROR_OF[split](run) for run in runs]))
    ]
    if not bands:
        return None
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(
            figsize=(5.2, 3.9 + 0.22 * len(bands)), layout="constrained"
        )
        axes = figure.subplots()
        for (label, runs, band), style in zip(
            bands, line_styles(len(bands), 2.2, 1.4)
        ):
            last = error_text(_LAST[split](summarize(runs)))
            draw_band(axes, f"{last}  {label}", band, style)
        rates = max(
            (run.schedule["rates"] for _, runs in rows for run in runs), key=len
        )
        draw_epochs(axes, range(1, len(rates) + 1), rates)
        _scale(axes, split)
        figure.legend(
            loc="outside lower left", frameon=False, fontsize=10, handlelength=3
        )
        file = io.StringIO()
        figure.savefig(
            file, format="svg", metadata={"Date": None, "Creator": None}
        )
    return file.getvalue()


def _band(runs):
    """Returns (epoch, lowest / median / highest) in %, while medians exist."""
    length = max(map(len, runs))
    errors = np.full((len(runs), length), np.inf)
    for row, run in zip(errors, runs):
        row[: len(run)] = np.maximum(100 * np.array(run), _FLOOR)
    band = np.array([errors.min(0), np.median(errors, axis=0), errors.max(0)]).T
    band = band[np.isfinite(band[:, 1])]
    return np.minimum(band, 100.0)


def draw_band(axes, label: str, band: np.ndarray, style: dict) -> None:
    """Draws a line, and the range of the runs behind it.

    Args:
        axes: the axes of matplotlib.
        label: the line's name in the legend.
        band: (epochs, 3): lowest, median and highest error, in %.
        style: from `line_styles`.
    """
    epochs = np.arange(1, len(band) + 1)
    lowest, median, highest = band.T
    axes.plot(
        epochs,
        median,
        label=label,
        marker="." if len(band) < 40 else None,
        **style,
    )
    axes.fill_between(
        epochs, lowest, highest, color=style["color"], alpha=0.15, lw=0
    )


def _scale(axes, split):
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = next(ticks for span, ticks in _TICKS if high / low > span)
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"{split} error (%)", loc="left", fontsize=11)
    axes.grid(alpha=0.25)
