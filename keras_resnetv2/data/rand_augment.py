"""RandAugment: two random operations of equal magnitude on each image.

As in augmentation.py, the draws depend on the framework, and the operations are
the same arithmetic on every array module.

Reference: Cubuk et al., "RandAugment", 2020. The operations and their ranges
are those of torchvision, without Equalize: its histograms would need other code
on each array module.
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_resnetv2._checks import Number

if TYPE_CHECKING:
    import tensorflow as tf

_STRONGEST = 30
MAGNITUDE = Number(
    lambda value: 0 <= value <= _STRONGEST,
    f"a whole number from 0 (off) to {_STRONGEST}",
)
_ROUNDS = 2  # operations per image
_GRAY = (0.299, 0.587, 0.114)  # ITU-R 601-2, as in Pillow
_FILL = 128.0  # around an image that was moved


class RandDraws(NamedTuple):
    """The random draws for a batch.

    Attributes:
        operation: int32, (2, N): rows of `OPERATIONS`.
        sign: float32, (2, N): 1 or -1, for operations with a direction.
    """

    operation: Any
    sign: Any


def draw(rng: np.random.Generator, count: int) -> RandDraws:
    """Draws operations and directions in NumPy.

    Args:
        rng: the random number generator.
        count: the number of images.
    """
    size = (_ROUNDS, count)
    return RandDraws(
        operation=rng.integers(len(OPERATIONS), size=size, dtype=np.int32),
        sign=np.float32(1) - 2 * rng.integers(2, size=size).astype("float32"),
    )


def draw_tf(seed: "tf.Tensor", count: int) -> RandDraws:
    """Draws operations and directions in TensorFlow.

    Args:
        seed: integer, (2,); the same seed always gives the same draws.
        count: the number of images.

    Returns:
        Tensors like the arrays of `draw`, but with other random numbers.
    """
    import tensorflow as tf

    seeds = tf.random.split(seed, 2)
    size = (_ROUNDS, count)
    negative = tf.random.stateless_uniform(size, seeds[1]) < 0.5
    return RandDraws(
        operation=tf.random.stateless_uniform(
            size, seeds[0], maxval=len(OPERATIONS), dtype=tf.int32
        ),
        sign=tf.where(negative, -1.0, 1.0),
    )


def apply(xp: ModuleType, images: Any, magnitude: int, draws: RandDraws) -> Any:
    """Applies the drawn operations to a batch.

    Args:
        xp: NumPy, `tf.experimental.numpy` or `keras.ops`.
        images: (N, height, width, 3), values 0 to 255.
        magnitude: 1 to 30.
        draws: see `draw`.

    Returns:
        float32 of the same shape: whole numbers, 0 to 255.
    """
    level = np.float32(magnitude / _STRONGEST)
    images = _cast(xp, images, "float32")
    each = _EACH.get(xp.__name__, _each_selected)
    for i in range(_ROUNDS):
        images = each(xp, images, draws.operation[i], draws.sign[i], level)
    return images


def _each_in_numpy(xp, images, operation, sign, level):
    result = np.array(images)
    for number in np.unique(operation):
        chosen = operation == number
        run = list(OPERATIONS.values())[number]
        result[chosen] = _rounded(
            xp, run(xp, images[chosen], sign[chosen], level)
        )
    return result


def _each_in_tensorflow(xp, images, operation, sign, level):
    import tensorflow as tf

    count = len(OPERATIONS)
    parts = [
        tf.dynamic_partition(values, operation, count)
        for values in (images, sign, tf.range(tf.size(operation)))
    ]
    done = [
        _rounded(xp, run(xp, image, one, level))
        for run, image, one in zip(OPERATIONS.values(), *parts[:2])
    ]
    return tf.ensure_shape(tf.dynamic_stitch(parts[2], done), images.shape)


def _each_selected(xp, images, operation, sign, level):
    """Computes all of them: shapes may not depend on the draws."""
    result = images
    for number, run in enumerate(OPERATIONS.values()):
        chosen = (operation == number)[:, None, None, None]
        done = _rounded(xp, run(xp, images, sign, level))
        result = xp.where(chosen, done, result)
    return result


_EACH = {
    "numpy": _each_in_numpy,
    "tensorflow.experimental.numpy": _each_in_tensorflow,
}


def _cast(xp, values, dtype):
    if hasattr(xp, "cast"):
        return xp.cast(values, dtype)
    return xp.asarray(values, dtype=dtype)


def _rounded(xp, images):
    return xp.clip(xp.floor(images + np.float32(0.5)), 0.0, 255.0)


def _identity(xp, images, sign, level):
    return images


def _moved(matrix):
    """Returns an operation that moves pixels, by the nearest neighbour.

    Args:
        matrix: returns (a, b, c, d, e, f), each (N, 1, 1) or a number, of
            signed levels (N, 1, 1), height and width. The pixel x, y is that at
            a x + b y + c, d x + e y + f. The middle of the image is 0, 0.
    """

    def run(xp, images, sign, level):
        height, width = images.shape[1:3]
        signed = (sign * level)[:, None, None]
        a, b, c, d, e, f = matrix(xp, signed, height, width)
        x = np.arange(width, dtype="float32")[None, None, :]
        y = np.arange(height, dtype="float32")[None, :, None]
        x, y = x - np.float32((width - 1) / 2), y - np.float32((height - 1) / 2)
        columns = _whole(xp, a * x + b * y + c + np.float32(width / 2))
        rows = _whole(xp, d * x + e * y + f + np.float32(height / 2))
        inside = xp.logical_and(
            xp.logical_and(rows >= 0, rows < height),
            xp.logical_and(columns >= 0, columns < width),
        )
        rows, columns = (
            xp.clip(rows, 0, height - 1),
            xp.clip(columns, 0, width - 1),
        )
        # One flat gather of pixels is several times faster than one by axes.
        image = xp.cumsum(xp.ones_like(sign), axis=0)[:, None, None] - 1
        image = _cast(xp, image, "int32")
        place = (image * height + rows) * width + columns
        pixels = xp.take(xp.reshape(images, (-1, 3)), place, axis=0)
        return xp.where(inside[..., None], pixels, np.float32(_FILL))

    return run


def _whole(xp, values):
    return _cast(xp, xp.floor(values), "int32")


def _shear_x(xp, signed, height, width):
    return 1.0, np.float32(0.3) * signed, 0.0, 0.0, 1.0, 0 * signed


def _shear_y(xp, signed, height, width):
    return 1.0, 0.0, 0 * signed, np.float32(0.3) * signed, 1.0, 0.0


def _translate_x(xp, signed, height, width):
    way = signed * np.float32(150 / 331 * width)
    return 1.0, 0.0, way, 0.0, 1.0, 0 * signed


def _translate_y(xp, signed, height, width):
    way = signed * np.float32(150 / 331 * height)
    return 1.0, 0.0, 0 * signed, 0.0, 1.0, way


def _rotate(xp, signed, height, width):
    angle = signed * np.float32(math.radians(30))
    sin, cos = xp.sin(angle), xp.cos(angle)
    return cos, sin, 0.0, -sin, cos, 0.0


def _blended(other):
    """Returns an operation towards another image, or away from it."""

    def run(xp, images, sign, level):
        factor = (1 + np.float32(0.9) * sign * level)[:, None, None, None]
        end = other(xp, images)
        return end + factor * (images - end)

    return run


def _black(xp, images):
    return xp.zeros_like(images)


def _gray(xp, images):
    gray = images * np.array(_GRAY, "float32")
    return xp.floor(xp.sum(gray, axis=-1, keepdims=True) + np.float32(0.5))


def _mean_gray(xp, images):
    mean = xp.mean(_gray(xp, images), axis=(1, 2, 3), keepdims=True)
    return xp.floor(mean + np.float32(0.5))


def _smooth(xp, images):
    """Returns Pillow's SMOOTH filter; the outermost pixels stay."""
    height, width = images.shape[1:3]
    if min(height, width) < 3:
        return images
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    inner = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    inner = (inner + 4 * images[:, 1:-1, 1:-1]) / np.float32(13)
    inner = xp.floor(inner + np.float32(0.5))
    around = ((0, 0), (1, 1), (1, 1), (0, 0))
    is_inner = np.zeros((1, height, width, 1), bool)
    is_inner[:, 1:-1, 1:-1] = True
    return xp.where(is_inner, xp.pad(inner, around, "constant"), images)


def _posterize(xp, images, sign, level):
    step = np.float32(2 ** round(4 * float(level)))
    return xp.floor(images / step) * step


def _solarize(xp, images, sign, level):
    return xp.where(images >= 255 - 255 * level, 255 - images, images)


def _autocontrast(xp, images, sign, level):
    low = xp.min(images, axis=(1, 2), keepdims=True)
    high = xp.max(images, axis=(1, 2), keepdims=True)
    span = xp.maximum(high - low, np.float32(1))
    stretched = (images - low) * (np.float32(255) / span)
    return xp.where(high > low, stretched, images)


# Each takes the array module, images (N, height, width, 3) of whole float32
# numbers, signs (N,) and a level up to 1. Its result is rounded and clipped.
OPERATIONS: dict[str, Callable] = {
    "identity": _identity,
    "shear_x": _moved(_shear_x),
    "shear_y": _moved(_shear_y),
    "translate_x": _moved(_translate_x),
    "translate_y": _moved(_translate_y),
    "rotate": _moved(_rotate),
    "brightness": _blended(_black),
    "color": _blended(_gray),
    "contrast": _blended(_mean_gray),
    "sharpness": _blended(_smooth),
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
}
