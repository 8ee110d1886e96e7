"""The augmentations. The paper's for CIFAR pads with zeros, crops and flips.

The random draws depend on the framework. They are applied by the same
arithmetic on every array module: equal draws give equal images, to the bit.
"""

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_resnetv2._text import brief
from keras_resnetv2.data import crops
from keras_resnetv2.data.crops import CropRule

if TYPE_CHECKING:
    import tensorflow as tf


class Draws(NamedTuple):
    """The random draws for a batch.

    Attributes:
        offsets: int32, (N, 2): row and column where the crop begins in the
            padded image. Offsets equal to the padding give the original.
        flips: bool, (N,): whether the crop is mirrored left to right.
    """

    offsets: Any
    flips: Any


def padding_of(image_shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns the number of zero rows and columns on each side of an image.

    Args:
        image_shape: ends in (height, width, channels).

    Returns:
        An eighth of the height and of the width, rounded down: 4 pixels at
        the paper's 32.
    """
    return image_shape[-3] // 8, image_shape[-2] // 8


def draw(
    rng: np.random.Generator, count: int, image_shape: tuple[int, ...]
) -> Draws:
    """Draws crops and flips in NumPy.

    Args:
        rng: the random number generator.
        count: the number of images.
        image_shape: ends in (height, width, channels).

    Returns:
        Uniform offsets, and flips with probability one half.
    """
    most = [2 * padding for padding in padding_of(image_shape)]
    return Draws(
        offsets=rng.integers(
            0, most, (count, 2), dtype=np.int32, endpoint=True
        ),
        flips=rng.random(count) < 0.5,
    )


def draw_tf(
    seed: "tf.Tensor", count: int, image_shape: tuple[int, ...]
) -> Draws:
    """Draws crops and flips in TensorFlow.

    Args:
        seed: integer, (2,); the same seed always gives the same draws.
        count: the number of images.
        image_shape: ends in (height, width, channels).

    Returns:
        Tensors like the arrays of `draw`, but with other random numbers.
    """
    import tensorflow as tf

    seeds = tf.random.split(seed, 3)
    offsets = [
        tf.random.stateless_uniform(
            (count,), seeds[axis], maxval=2 * padding + 1, dtype=tf.int32
        )
        for axis, padding in enumerate(padding_of(image_shape))
    ]
    return Draws(
        offsets=tf.stack(offsets, axis=1),
        flips=tf.random.stateless_uniform((count,), seeds[2]) < 0.5,
    )


def apply(xp: ModuleType, images: Any, draws: Draws) -> Any:
    """Pads, crops and flips a batch.

    Args:
        xp: the array module: NumPy, `tf.experimental.numpy` or `keras.ops`.
        images: (N, height, width, channels), of static shape. They are
            standardized; the padding is zero on that scale.
        draws: see `draw`.

    Returns:
        An array of the same shape and type.
    """
    count, height, width, channels = images.shape
    down, right = padding_of(images.shape)
    around = ((0, 0), (down, down), (right, right), (0, 0))
    padded = xp.pad(images, around, "constant")
    rows = draws.offsets[:, :1] + xp.arange(height, dtype="int32")
    columns = xp.arange(width, dtype="int32")
    columns = xp.where(draws.flips[:, None], width - 1 - columns, columns)
    columns = draws.offsets[:, 1:] + columns
    # One flat gather of pixels is several times faster than one along axes.
    image = xp.arange(count, dtype="int32")[:, None]
    rows = rows + image * (height + 2 * down)
    pixels = rows[:, :, None] * (width + 2 * right) + columns[:, None, :]
    return xp.take(xp.reshape(padded, (-1, channels)), pixels, axis=0)


def _draw_nothing(source, count, image_shape):
    del source, count, image_shape
    return ()


def _apply_nothing(xp, images, draws):
    del xp, draws
    return images


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """One way to vary images at random.

    Attributes:
        draw: takes a NumPy generator, the number of images and their shape.
            Returns the draws for `apply`. `None`: not for images in memory.
        draw_tf: the same, with a seed, an integer tensor (2,), as the first
            argument.
        apply: takes NumPy, `tf.experimental.numpy` or `keras.ops`, a batch of
            standardized images and the draws. Returns images.
        crop: the rule that chooses the part of an encoded image to decode.
            `None`: not for encoded images.
    """

    draw: Callable[[np.random.Generator, int, tuple], Any] | None = None
    draw_tf: Callable[["tf.Tensor", int, tuple], Any] | None = None
    apply: Callable[[ModuleType, Any, Any], Any] | None = None
    crop: CropRule | None = None

    __repr__ = brief

    @property
    def in_memory(self) -> bool:
        """Whether it can be applied to `ImageData`."""
        return self.apply is not None

    @property
    def encoded(self) -> bool:
        """Whether it can be applied to `EncodedImages`."""
        return self.crop is not None


AUGMENTATIONS = {
    "crop_flip": Augmentation(draw=draw, draw_tf=draw_tf, apply=apply),
    "scale": Augmentation(crop=crops.SCALE),
    "scale_aspect_ratio": Augmentation(crop=crops.SCALE_ASPECT_RATIO),
    "none": Augmentation(
        draw=_draw_nothing,
        draw_tf=_draw_nothing,
        apply=_apply_nothing,
        crop=crops.center(),
    ),
}
