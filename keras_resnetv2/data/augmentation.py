"""Every augmentation, and the paper's of CIFAR: pad with zeros, crop, flip.

The same arithmetic on whole batches in NumPy, in TensorFlow (for tf.data) and
in Keras's ops: given the same draws all give the same images, to the bit.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_resnetv2.data import crops
from keras_resnetv2.data.crops import CropRule

if TYPE_CHECKING:
    import tensorflow as tf


class Draws(NamedTuple):
    """What was drawn for a batch.

    Attributes:
        offsets: int32, (N, 2): where the crop begins in the padded image, in
            rows and in columns; the padding itself gives back the original.
        flips: bool, (N,): whether the crop is mirrored left to right.
    """

    offsets: Any
    flips: Any


def padding_of(image_shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns the zero rows and columns put on each side of an image.

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
        rng: where the random numbers come from.
        count: how many images.
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


def apply(images: np.ndarray, draws: Draws) -> np.ndarray:
    """Pads, crops and flips a batch in NumPy.

    Args:
        images: (N, height, width, channels), standardized: the padding is
            zeros of that scale.
        draws: see `draw`.

    Returns:
        A new array of the same shape and type.
    """
    count, height, width = images.shape[:3]
    down, right = padding_of(images.shape)
    padded = np.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    rows = draws.offsets[:, :1] + np.arange(height)
    columns = np.arange(width)
    columns = np.where(draws.flips[:, None], columns[::-1], columns)
    columns = draws.offsets[:, 1:] + columns
    batch = np.arange(count)[:, None, None]
    return padded[batch, rows[:, :, None], columns[:, None, :]]


def draw_tf(
    seed: "tf.Tensor", count: int, image_shape: tuple[int, ...]
) -> Draws:
    """Draws crops and flips in TensorFlow.

    Args:
        seed: integer, (2,); the same seed always gives the same draws.
        count: how many images.
        image_shape: ends in (height, width, channels).

    Returns:
        Tensors as `draw` describes them; the numbers drawn are others.
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


def apply_tf(images: "tf.Tensor", draws: Draws) -> "tf.Tensor":
    """Pads, crops and flips a batch in TensorFlow.

    Args:
        images: (N, height, width, channels) with a static shape,
            standardized.
        draws: see `draw_tf`.

    Returns:
        A tensor of the same shape and type.
    """
    import tensorflow as tf

    count, height, width, channels = images.shape
    down, right = padding_of(images.shape)
    padded = tf.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    rows = draws.offsets[:, :1] + tf.range(height)
    columns = tf.range(width)
    columns = tf.where(draws.flips[:, None], columns[::-1], columns)
    columns = draws.offsets[:, 1:] + columns
    # One flat gather of pixels is several times faster than gather_nd.
    rows += tf.range(count)[:, None] * (height + 2 * down)
    pixels = rows[:, :, None] * (width + 2 * right) + columns[:, None, :]
    return tf.gather(tf.reshape(padded, (-1, channels)), pixels)


def apply_ops(images, draws: Draws):
    """Pads, crops and flips a batch on Keras's backend.

    Args:
        images: (N, height, width, channels) with a static shape,
            standardized.
        draws: see `draw`.

    Returns:
        A tensor of the same shape and type.
    """
    import keras

    ops = keras.ops
    count, height, width, channels = images.shape
    down, right = padding_of(images.shape)
    padded = ops.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    offsets = ops.convert_to_tensor(draws.offsets)
    rows = offsets[:, :1] + ops.arange(height, dtype="int32")
    columns = ops.arange(width, dtype="int32")
    columns = ops.where(
        ops.convert_to_tensor(draws.flips)[:, None],
        width - 1 - columns,
        columns,
    )
    columns = offsets[:, 1:] + columns
    images_before = ops.arange(count, dtype="int32")[:, None]
    rows += images_before * (height + 2 * down)
    pixels = rows[:, :, None] * (width + 2 * right) + columns[:, None, :]
    return ops.take(ops.reshape(padded, (-1, channels)), pixels, axis=0)


def _crop_flip(images, rng):
    return apply(images, draw(rng, len(images), images.shape))


def _crop_flip_tf(images, seed):
    return apply_tf(images, draw_tf(seed, images.shape[0], images.shape))


def _nothing(images, source):
    del source
    return images


def _draw_nothing(rng, count, image_shape):
    del rng, count, image_shape
    return ()


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """One way to vary images at random.

    Attributes:
        numpy: from (a batch of standardized images, a NumPy generator) to
            images; `None` if it does not take images in memory.
        tensorflow: from (a batch of standardized images, an integer seed of
            shape (2,)) to images; likewise.
        draw: from (a NumPy generator, number of images, their shape) to what
            `ops` needs to do what `numpy` does with that generator.
        ops: from (a batch of standardized images, that) to images, on Keras's
            backend.
        crop: which part of an encoded image is decoded; `None` if it does
            not take encoded images.
    """

    numpy: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None
    tensorflow: Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"] | None = None
    draw: Callable[[np.random.Generator, int, tuple], Any] | None = None
    ops: Callable[[Any, Any], Any] | None = None
    crop: CropRule | None = None

    @property
    def in_memory(self) -> bool:
        """Whether it takes `ImageData`."""
        return self.numpy is not None

    @property
    def encoded(self) -> bool:
        """Whether it takes `EncodedImages`."""
        return self.crop is not None


AUGMENTATIONS = {
    "crop_flip": Augmentation(
        numpy=_crop_flip, tensorflow=_crop_flip_tf, draw=draw, ops=apply_ops
    ),
    "scale": Augmentation(crop=crops.SCALE),
    "scale_aspect_ratio": Augmentation(crop=crops.SCALE_ASPECT_RATIO),
    "none": Augmentation(
        numpy=_nothing,
        tensorflow=_nothing,
        draw=_draw_nothing,
        ops=_nothing,
        crop=crops.center(),
    ),
}
