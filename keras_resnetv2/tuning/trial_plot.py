"""Plots the trials' errors against their sizes."""

import math
import pathlib
import textwrap
from collections.abc import Sequence

from keras_resnetv2._plots import plot, save_figure
from keras_resnetv2._text import one_line
from keras_resnetv2.tuning.trials import COSTS, TrialRow, best, front, percent

# (Ratio of largest to smallest, ticks of a decade above that ratio).
_TICKS = ((200, (1,)), (15, (1, 2, 5)), (1, (1, 1.5, 2, 3, 5, 7)))
_EPOCH_LABELS = 8


@plot
def plot_trials(
    path: pathlib.Path, rows: Sequence[TrialRow], title: str
) -> None:
    """Draws error against parameters and multiply-adds as a PNG.

    The panels are stacked, so that they are large on a phone. Failed trials
    are crosses on the top edge. Trials of unknown size are left out.

    Args:
        path: the file, written atomically.
        rows: the trials, in the order in which they were started; may be empty.
        title: title above the panels.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 13}):
        figure = Figure(figsize=(7.5, 9), layout="constrained")
        figure.suptitle(textwrap.fill(one_line(title, 150), 55))
        panels = figure.subplots(2, 1)
        colours = _EpochColours(rows)
        for axes, cost in zip(panels, COSTS):
            _panel(axes, rows, cost, colours)
        colours.add_bar(figure, panels)
        handles = {
            label: handle
            for axes in panels
            for handle, label in zip(*axes.get_legend_handles_labels())
        }
        if handles:
            figure.legend(
                handles.values(),
                handles.keys(),
                loc="outside lower center",
                ncols=len(handles),
            )
        save_figure(figure, path, dpi=140)


class _EpochColours:
    """A colour for each number of epochs, if the trials differ in it."""

    def __init__(self, rows):
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap, Normalize

        self.epochs = sorted(
            {row.epochs for row in rows if row.status == "completed"}
        )
        number = len(self.epochs)
        shades = [i / max(number - 1, 1) for i in range(number)]
        self.norm = Normalize(-0.5, number - 0.5)
        self.map = ListedColormap(colormaps["viridis_r"](shades or [1]))

    def of(self, row):
        if len(self.epochs) == 1:
            return "C0"
        return self.map(self.norm(self.epochs.index(row.epochs)))

    def add_bar(self, figure, panels):
        from matplotlib.cm import ScalarMappable

        if len(self.epochs) < 2:
            return
        step = -(-len(self.epochs) // _EPOCH_LABELS)
        places = range(len(self.epochs))[::-step]
        bar = figure.colorbar(
            ScalarMappable(self.norm, self.map),
            ax=list(panels),
            label="epochs",
            aspect=40,
        )
        bar.set_ticks(places, labels=[self.epochs[i] for i in places])
        bar.minorticks_off()


def _panel(axes, rows, cost, colours):
    axes.set(xlabel=COSTS[cost], ylabel="held-out error (%)")
    axes.grid(alpha=0.3)
    known = [row for row in rows if getattr(row, cost)]
    completed = [row for row in known if row.status == "completed"]
    failed = [row for row in known if row.status == "failed"]
    if not completed:
        axes.text(
            0.5,
            0.5,
            "no completed trial" + (" of known size" if best(rows) else ""),
            transform=axes.transAxes,
            ha="center",
        )
        axes.set_yticks([])
    if not (completed or failed):
        axes.set_xticks([])
        return
    costs = [getattr(row, cost) for row in completed + failed]
    low, high = min(costs), max(costs)
    room = max(1.6, (high / low) ** 0.06)
    _logarithmic(
        axes, "x", low / room, high * room, lambda tick: f"{tick / 1e6:,g}M"
    )
    if completed:
        _scale_errors(axes, [100 * row.error for row in completed])
        _draw_completed(axes, rows, completed, cost, colours)
    if failed:
        axes.plot(
            [getattr(row, cost) for row in failed],
            [1] * len(failed),
            "x",
            transform=axes.get_xaxis_transform(),
            color="tab:red",
            clip_on=False,
            label="failed",
        )


def _draw_completed(axes, rows, completed, cost, colours):
    axes.scatter(
        [getattr(row, cost) for row in completed],
        [100 * row.error for row in completed],
        c=[colours.of(row) for row in completed],
        s=45,
        edgecolors="black",
        linewidths=0.5,
        zorder=3,
    )
    efficient = front(completed, cost)
    axes.plot(
        [getattr(row, cost) for row in efficient] + [axes.get_xlim()[1]],
        [100 * row.error for row in efficient] + [100 * efficient[-1].error],
        drawstyle="steps-post",
        color="black",
        lw=1.2,
        label="Pareto front",
    )
    winner = best(rows)
    if not getattr(winner, cost):
        return
    place = getattr(winner, cost), 100 * winner.error
    axes.plot(
        *place, "o", ms=14, mfc="none", mec="tab:red", mew=2, label="best"
    )
    # No trial is below the best one. Towards the middle, the label fits.
    low, high = axes.get_xlim()
    third = int(3 * math.log(place[0] / low) / math.log(high / low))
    axes.annotate(
        f"trial {one_line(winner.trial, 16)}: {percent(winner.error)}",
        place,
        xytext=((-8, 0, 8)[third], -12),
        textcoords="offset points",
        ha=("left", "center", "right")[third],
        va="top",
        weight="bold",
    )


def _scale_errors(axes, errors):
    """Leaves room below for the best trial's label."""
    low, high = min(errors), max(errors)
    # Networks that learned nothing would squeeze the good ones together.
    if low > 0 and high / low > 4:
        room = (high / low) ** 0.05
        _logarithmic(
            axes,
            "y",
            low / room**4,
            high * room,
            lambda tick: f"{tick:g}",
        )
    else:
        room = max((high - low) / 20, 0.5)
        limits = low - 4 * room, high + room
        axes.set_ylim(limits)
        axes.set_yticks([t for t in axes.get_yticks() if 0 <= t <= limits[1]])
        axes.set_ylim(limits)


def _logarithmic(axes, name, low, high, text):
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    axis = getattr(axes, f"{name}axis")
    ticks = next(ticks for span, ticks in _TICKS if high / low > span)
    axis.set_major_locator(LogLocator(subs=ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda tick, _: text(tick)))
