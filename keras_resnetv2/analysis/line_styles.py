"""Lines that are told apart."""

import numpy as np

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
