"""Plots measured propagation by unit, for one or several networks."""

import itertools
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from keras_resnetv2._files import user_path
from keras_resnetv2._plots import LITERAL, line_styles, save_figure
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import brief
from keras_resnetv2.analysis.equations import ratio
from keras_resnetv2.analysis.rows import Propagation, UnitRow

# Smaller values are drawn on the lower edge of a panel.
_FLOOR = 1e-20


class Panel(NamedTuple):
    """A panel with one value of every unit.

    Attributes:
        title: title above the axes.
        meaning: what to look for.
        value: computes the value from a `UnitRow` and its `Propagation`.
        logarithmic: whether the axis is logarithmic.
    """

    title: str
    meaning: str
    value: Callable[[UnitRow, Propagation], float]
    logarithmic: bool

    __repr__ = brief


PANELS = {
    "signal": Panel(
        "signal, $\\|x_l\\|$",
        "good: neither explodes nor vanishes",
        lambda row, whole: row.signal,
        True,
    ),
    "forward_gap": Panel(
        "distance from the sum of its residuals,\n"
        "$\\|x_L - (h \\cdots h(x_l) + \\sum h \\cdots h(F_i))\\|$"
        " / $\\|x_L\\|$",
        "near 0: eq. (4) holds",
        lambda row, whole: row.forward_gap,
        True,
    ),
    "product": Panel(
        "product of the shortcuts' factors,\nfrom here to the last unit",
        "good: 1; bad: near 0 (blocked) or far above 1",
        lambda row, whole: abs(row.product),
        True,
    ),
    "direct": Panel(
        "gradient through the shortcuts alone,\n"
        "of $\\|\\partial E / \\partial x_L\\|$",
        "good: about 1; bad: near 0 (shortcuts carry nothing)",
        lambda row, whole: ratio(row.direct, whole.last_gradient),
        True,
    ),
    "gradient": Panel(
        "whole gradient, $\\|\\partial E / \\partial x_l\\|$ / "
        "$\\|\\partial E / \\partial x_L\\|$",
        "good: about 1; bad: near 0 (early units learn nothing)",
        lambda row, whole: ratio(row.gradient, whole.last_gradient),
        True,
    ),
    "cancelled": Panel(
        "share of the samples with\n$\\|\\partial E / \\partial x_l\\|$ < 0.1 "
        "$\\|\\partial E / \\partial x_L\\|$",
        "good: 0; bad: 1 (no sample's gradient arrives)",
        lambda row, whole: row.cancelled,
        False,
    ),
}


def plot_propagation(
    measured: Mapping[str, Propagation] | Propagation,
    path: str | os.PathLike | None = None,
    *,
    panels: tuple[str, ...] = tuple(PANELS),
    title: str = "",
):
    """Draws one or several networks, with one panel per quantity.

    Args:
        measured: name of a line -> result of `measure`; or a single result.
        path: path of the plot, ".png", ".svg" or ".pdf", written atomically;
            None to write none.
        panels: names in `PANELS`: "signal", "forward_gap", "product",
            "direct", "gradient", "cancelled".
        title: title above the panels.

    Returns:
        A `matplotlib.figure.Figure`, which a notebook shows.

    Raises:
        ImportError: if matplotlib is missing; says what to install.
        ValueError: if there is no network, or a panel is unknown.
    """
    check_installed("A plot")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if isinstance(measured, Propagation):
        measured = {measured.model: measured}
    unknown = set(panels) - set(PANELS)
    if not measured or not panels or unknown:
        raise ValueError(
            "At least one network and one panel are needed. Panels are "
            f"{', '.join(PANELS)}; received measured={list(measured)}, "
            f"panels={panels!r}."
        )
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(5.5 * columns, 3.3 * rows + 0.9), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, panel in itertools.zip_longest(grid, panels):
        if panel is None:
            axes.remove()
        else:
            _draw(axes, panel, measured)
    with rc_context(LITERAL):  # the panels' titles are formulas
        figure.suptitle(title)
        if len(measured) > 1:
            figure.legend(
                figure.axes[0].lines[: len(measured)],
                measured,
                loc="outside lower center",
                ncols=min(3, len(measured)),
            )
    if path is not None:
        save_figure(figure, user_path(path), dpi=130)
    return figure


def _draw(axes, panel, measured):
    title, meaning, value, logarithmic = PANELS[panel]
    lines = zip(measured.items(), line_styles(len(measured)), strict=True)
    lowest = np.inf
    for (name, whole), style in lines:
        values = np.array([value(row, whole) for row in whole.rows])
        lowest = np.fmin(lowest, np.fmin.reduce(values))  # ignores NaN
        if logarithmic:
            values = np.maximum(values, _FLOOR)
        units = np.arange(1, len(values) + 1)
        axes.plot(units, values, label=name, **style)
    if logarithmic:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high / low < 20:  # flat lines must look flat
            axes.set_ylim(low / 5, high * 5)
        if lowest < _FLOOR:
            axes.text(
                0.02,
                0.07,
                f"lowest: {_FLOOR:.0e} or less",
                transform=axes.transAxes,
                fontsize=9,
            )
    else:
        axes.set_ylim(-0.03, 1.03)
    longest = max(measured.values(), key=lambda whole: len(whole.rows))
    _mark_stages(axes, longest.rows)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(f"residual unit\n{meaning}")
    axes.grid(alpha=0.25)


def _mark_stages(axes, rows):
    """Draws a dotted line before each stage except the first."""
    for place, (before, after) in enumerate(zip(rows, rows[1:]), 1):
        if before.stage != after.stage:
            axes.axvline(place + 0.5, color="gray", lw=0.8, ls=":")
