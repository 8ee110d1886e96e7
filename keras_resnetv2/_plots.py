"""Shared by all plots: line styles, the axis of epochs, and writing files."""

import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from keras_resnetv2._files import replacing

# Settings of matplotlib: a "$" in a name does not start a formula.
LITERAL = {"text.parse_math": False}
_COLOURS = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#0072B2",
)
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def plot(draw: Callable) -> Callable:
    """A decorator that turns errors of a plot into warnings.

    Errors of the disk are raised, because the next file would also hit them.
    Texts are drawn literally.

    Args:
        draw: function that draws the plot; its first argument is the path.
    """

    @functools.wraps(draw)
    def drawn(path, *args, **kwargs):
        import matplotlib

        try:
            with matplotlib.rc_context(LITERAL):
                draw(path, *args, **kwargs)
        except OSError:
            raise
        except Exception as error:  # matplotlib raises many types
            logging.warning("%s could not be drawn: %s", path, error)

    return drawn


def line_styles(
    number: int, widest: float = 2.8, thinnest: float = 1.2
) -> list[dict]:
    """Returns line styles; later lines are thinner, so earlier ones show.

    The colours also suit readers with a colour vision deficiency (Okabe and
    Ito, 2008). When colours repeat, the lines are dashed.

    Args:
        number: number of lines.
        widest: width of the first line, in points.
        thinnest: width of the last line.

    Returns:
        For each line, keywords for `matplotlib.axes.Axes.plot`.
    """
    widths = np.linspace(widest, thinnest, number) if number > 1 else (1.8,)
    return [
        {
            "lw": width,
            "color": _COLOURS[i % len(_COLOURS)],
            "ls": _DASHES[i // len(_COLOURS) % len(_DASHES)],
        }
        for i, width in enumerate(widths)
    ]


def draw_epochs(axes, epochs: Sequence[int], rates: Sequence[float]) -> None:
    """Draws the epoch axis, with dotted lines where the learning rate drops.

    Args:
        axes: the axes of matplotlib.
        epochs: the numbers of the epochs.
        rates: the learning rate of each epoch.
    """
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drops = [
        epoch
        for epoch, before, after in zip(epochs, rates, rates[1:])
        if after < before
    ]
    for epoch in drops:
        label = "learning rate drops" if epoch == drops[0] else None
        axes.axvline(epoch, color="gray", lw=0.8, ls=":", label=label)


def save_figure(figure, path: pathlib.Path, dpi: int) -> None:
    """Writes a figure atomically, in the format given by the suffix."""
    with replacing(path) as part:
        figure.savefig(part, dpi=dpi)
