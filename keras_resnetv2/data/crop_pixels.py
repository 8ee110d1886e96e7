"""The pixels of a crop: decoded, scaled bilinearly with antialiasing, flipped.

There is a Pillow and a TensorFlow implementation. Both act as if the whole
image were scaled before the crop: neighbouring pixels affect the crop's edges.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_resnetv2.data.crops import Crop, CropRule
from keras_resnetv2.data.orientation import (
    Turn,
    stored_window_tf,
    turned_tf,
)

if TYPE_CHECKING:
    import tensorflow as tf

# In a partly decoded image, libjpeg's chroma upsampling has no neighbour for
# the outermost columns.
_JPEG_MARGIN = 1


def cut(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Cuts a crop out of a decoded image, with Pillow.

    Args:
        image: uint8, (height, width, 3).
        crop: the crop, within the image.
        size: side of the square in pixels.

    Returns:
        uint8, (size, size, 3).
    """
    from PIL import Image

    height, width = image.shape[:2]
    # By rounding, the sum may exceed the edge, which Pillow refuses.
    bottom = min(crop.top + crop.height, height)
    right = min(crop.left + crop.width, width)
    pixels = np.asarray(
        Image.fromarray(image).resize(
            (size, size),
            Image.Resampling.BILINEAR,
            box=(crop.left, crop.top, right, bottom),
        )
    )
    return pixels[:, ::-1] if crop.flip else pixels


def cut_by_rule(
    image: np.ndarray, rule: CropRule, draws: np.ndarray | None, size: int
) -> np.ndarray:
    """Cuts the crop that a rule chooses out of a decoded image, with Pillow.

    Args:
        image: uint8, (height, width, 3).
        rule: the rule.
        draws: the random numbers that it needs; `None` if it needs none.
        size: side of the square in pixels.

    Returns:
        uint8, (size, size, 3).
    """
    height, width = map(float, image.shape[:2])
    return cut(image, rule.choose(np, draws, height, width, size), size)


def decode_and_cut_tf(
    encoded: "tf.Tensor",
    choose: Callable[["tf.Tensor", "tf.Tensor"], Crop],
    size: int,
    turn: Turn | None = None,
) -> "tf.Tensor":
    """Decodes the part of an image file that a crop needs, and cuts it out.

    Args:
        encoded: the bytes of a JPEG, PNG, GIF, BMP or WebP.
        choose: takes the upright image's float64 height and width, returns a
            crop.
        size: side of the square in pixels.
        turn: how to turn the image upright, from `turn_of_tf`; `None` leaves it
            as it is.

    Returns:
        float32, (size, size, 3), values 0 to 255, not rounded. The result of
        `cut` for the same image differs by at most 1.
    """
    import tensorflow as tf

    from keras_resnetv2.data.decoding import decode_rgb

    is_jpeg = tf.io.is_jpeg(encoded)
    # The turn comes first. If both ran at once and one failed, TensorFlow would
    # cancel the other, and might report the cancellation instead of the reason.
    # `ignore_errors` does not skip a cancellation.
    with tf.control_dependencies(list(turn or ())):
        pixels = tf.cond(is_jpeg, no_pixels_tf, lambda: decode_rgb(encoded))
    return cut_tf(encoded, is_jpeg, pixels, choose, size, turn)


def no_pixels_tf() -> "tf.Tensor":
    """Returns the placeholder for a JPEG's pixels in `cut_tf`."""
    import tensorflow as tf

    return tf.zeros((0, 0, 3), tf.uint8)


def cut_tf(
    encoded: "tf.Tensor",
    is_jpeg: "tf.Tensor",
    pixels: "tf.Tensor",
    choose: Callable[["tf.Tensor", "tf.Tensor"], Crop],
    size: int,
    turn: Turn | None = None,
) -> "tf.Tensor":
    """Cuts a crop out of a JPEG's bytes, or of a decoded image.

    A JPEG is decoded only around the crop, widely enough that every pixel used
    equals that of the whole image to the bit. The formats share the remaining
    steps: a branch for each would delay the start of a stream by a second.

    Args:
        encoded: the bytes of the file.
        is_jpeg: bool, scalar: whether to decode it here, as a JPEG.
        pixels: uint8, (height, width, 3), as stored; for a JPEG that is decoded
            here, `no_pixels_tf`.
        choose: see `decode_and_cut_tf`.
        size: side of the square in pixels.
        turn: how to turn the pixels upright.

    Returns:
        float32, (size, size, 3), values 0 to 255, not rounded.
    """
    import tensorflow as tf

    shape = tf.cond(
        is_jpeg,
        lambda: tf.io.extract_jpeg_shape(encoded)[:2],
        lambda: tf.shape(pixels)[:2],
    )
    if turn is not None:
        shape = tf.where(turn.transpose, shape[::-1], shape)
    crop = choose(*tf.unstack(tf.cast(shape, tf.float64)))
    window, inside = _window(crop, shape, size)
    if turn is not None:
        window = stored_window_tf(window, shape, turn)

    def decode():
        return tf.image.decode_and_crop_jpeg(
            encoded,
            window,
            channels=3,
            # As Pillow does. It is no slower than the default.
            dct_method="INTEGER_ACCURATE",
        )

    def part():
        # Scaling all of an image one row high and a million pixels wide would
        # take gigabytes.
        top, left, height, width = tf.unstack(window)
        return pixels[top : top + height, left : left + width]

    found = tf.cond(is_jpeg, decode, part)
    if turn is not None:
        found = turned_tf(found, turn)
    return _scale(found, inside, size)


def _window(crop, shape, size):
    """Returns the window of pixels a crop needs, and the crop within it."""
    import tensorflow as tf

    corner = tf.stack([crop.top, crop.left])
    sides = tf.stack([crop.height, crop.width])
    # Half the width of the triangle filter, in pixels of the image.
    margin = tf.maximum(sides / size, 1) + _JPEG_MARGIN
    begin = tf.cast(tf.floor(tf.maximum(corner - margin, 0)), tf.int32)
    end = tf.cast(tf.math.ceil(corner + sides + margin), tf.int32)
    end = tf.minimum(end, shape)
    top, left = tf.unstack(corner - tf.cast(begin, tf.float64))
    window = tf.concat([begin, end - begin], axis=0)
    return window, crop._replace(top=top, left=left)


def _scale(pixels, crop, size):
    import tensorflow as tf

    # ScaleAndTranslate's columns are three times as slow as its rows.
    pixels = _scale_rows(pixels, crop.top, crop.height, size)
    pixels = tf.transpose(pixels, (1, 0, 2))
    pixels = _scale_rows(pixels, crop.left, crop.width, size)
    pixels = tf.cond(crop.flip, lambda: pixels[::-1], lambda: pixels)
    return tf.ensure_shape(tf.transpose(pixels, (1, 0, 2)), (size, size, 3))


def _scale_rows(pixels, begin, length, size):
    """Scales rows `begin` to `begin + length` to `size` rows."""
    import tensorflow as tf

    rows, columns = tf.unstack(tf.shape(pixels)[:2])
    scale = tf.cast(size / length, tf.float32)
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(pixels, tf.stack([1, rows, 1, columns * 3])),
        size=(size, 1),
        scale=tf.stack([scale, 1]),
        translation=tf.stack([-scale * tf.cast(begin, tf.float32), 0]),
        kernel_type="triangle",
        antialias=True,
    )
    return tf.reshape(scaled, tf.stack([size, columns, 3]))
