"""Chooses the part of an image to cut out, and the size to scale it to.

NumPy and TensorFlow use the same arithmetic: `xp` is `numpy` or
`tensorflow.experimental.numpy`, and all numbers are float64.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_resnetv2._text import brief

# The paper's sizes, for crops of 224.
_PAPER_SIZE, _PAPER_RESIZE = 224, 256
_SCALES = (256, 480)
# What `evaluation_resize` computes, for help texts.
EVALUATION_RESIZE = f"image_size * {_PAPER_RESIZE} / {_PAPER_SIZE}"
# Szegedy et al. 2015, as implemented in fb.resnet.torch.
_AREAS, _ASPECTS, _TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


class Crop(NamedTuple):
    """The rectangle of an image that is scaled to a square.

    Attributes:
        top: its first row, in pixels of the image, not rounded.
        left: its first column, in the same unit.
        height: its height in pixels of the image, not rounded.
        width: its width, in the same unit.
        flip: whether the square is mirrored left to right.
    """

    top: Any
    left: Any
    height: Any
    width: Any
    flip: Any


@dataclasses.dataclass(frozen=True)
class CropRule:
    """One way to choose a crop.

    Attributes:
        draws: how many random numbers it needs.
        choose: takes xp, random numbers in [0, 1) of shape (draws,), the
            image's height and width, and the square's side. Returns a `Crop`.
    """

    draws: int
    choose: Callable[[Any, Any, Any, Any, int], Crop]

    __repr__ = brief


def evaluation_resize(image_size: int) -> int:
    """Returns the length of the shorter side before evaluation's centre crop.

    Args:
        image_size: side of the crop in pixels.

    Returns:
        256 for 224, and other sizes in proportion.
    """
    return round(image_size * _PAPER_RESIZE / _PAPER_SIZE)


def center(resize: int | None = None) -> CropRule:
    """Returns the rule that scales the shorter side and cuts out the centre.

    Args:
        resize: length of the scaled shorter side in pixels; `None` means
            `evaluation_resize`.

    Returns:
        The rule, which needs no random numbers.
    """
    return CropRule(0, functools.partial(_center, resize=resize))


def _center(xp, draws, height, width, size, resize):
    del draws
    resize = evaluation_resize(size) if resize is None else resize
    scaled = _scaled(xp, height, width, resize)
    corner = [xp.floor((side - size) / 2) for side in scaled]
    return _crop_of_scaled(height, width, scaled, corner, size, xp.array(False))


def _scale(xp, draws, height, width, size):
    least, most = (round(size * side / _PAPER_SIZE) for side in _SCALES)
    shorter = least + xp.floor(draws[0] * (most - least + 1))
    scaled = _scaled(xp, height, width, shorter)
    corner = [
        xp.floor(draw * (side - size + 1))
        for draw, side in zip((draws[1], draws[2]), scaled)
    ]
    return _crop_of_scaled(height, width, scaled, corner, size, draws[3] < 0.5)


def _scaled(xp, height, width, shorter):
    least = xp.minimum(height, width)
    return [_round(xp, side * shorter / least) for side in (height, width)]


def _crop_of_scaled(height, width, scaled, corner, size, flip):
    """Maps a square of a scaled image back to the image's own pixels."""
    down, right = height / scaled[0], width / scaled[1]
    return Crop(
        corner[0] * down, corner[1] * right, size * down, size * right, flip
    )


def _scale_aspect_ratio(xp, draws, height, width, size):
    tries = xp.reshape(draws[1:], (_TRIES, 5))
    area = height * width * _between(_AREAS, tries[:, 0])
    aspect = _between(_ASPECTS, tries[:, 1])
    sides = [xp.sqrt(area / aspect), xp.sqrt(area * aspect)]
    # In an image of one or two pixels, a side may round to 0.
    sides = [xp.maximum(_round(xp, side), 1.0) for side in sides]
    swap = tries[:, 2] < 0.5
    heights = xp.where(swap, sides[1], sides[0])
    widths = xp.where(swap, sides[0], sides[1])
    fits = (heights <= height) & (widths <= width)
    first = xp.argmax(fits)
    flip = draws[0] < 0.5
    found = Crop(
        xp.floor(tries[first, 3] * (height - heights[first] + 1)),
        xp.floor(tries[first, 4] * (width - widths[first] + 1)),
        heights[first],
        widths[first],
        flip,
    )
    middle = _center(xp, None, height, width, size, resize=size)
    middle = middle._replace(flip=flip)
    fits = xp.any(fits)
    return Crop(*(xp.where(fits, *both) for both in zip(found, middle)))


def _round(xp, number):
    # TensorFlow's xp.round needs its NumPy behaviour, which changes tensors
    # globally.
    return xp.floor(number + 0.5)


def _between(limits, draws):
    return limits[0] + draws * (limits[1] - limits[0])


SCALE = CropRule(4, _scale)
SCALE_ASPECT_RATIO = CropRule(1 + 5 * _TRIES, _scale_aspect_ratio)
