"""What our plots share: how they are written, and how lines are told apart."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnetv2._files import removed_on_error

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


def line_styles(
    number: int, widest: float = 2.8, thinnest: float = 1.2
) -> list[dict]:
    """Of each line; the later ones are thinner and leave the earlier in sight.

    Colours are told apart with a colour vision deficiency, too (Okabe and Ito,
    2008); where they come again, the line is dashed.

    Args:
        number: of lines.
        widest: width of the first, in points.
        thinnest: width of the last.

    Returns:
        A line's keywords for `matplotlib.axes.Axes.plot`.
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
    """Draws the axis of epochs; a dotted line where the learning rate falls.

    Args:
        axes: of matplotlib.
        epochs: their numbers.
        rates: the learning rate of each.
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
    """Writes a figure of the kind of its suffix, whole or not at all."""
    part = path.with_name(f".{path.name}")
    with removed_on_error(part):
        figure.savefig(part, dpi=dpi)
        os.replace(part, path)
