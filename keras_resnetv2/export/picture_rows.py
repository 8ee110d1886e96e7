"""Decodes files of any size to a network's input, each row independently.

The number of pixels is read from a file's header before it is decoded.
"""

from typing import NamedTuple

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from keras_resnetv2.data import crops
from keras_resnetv2.data.crop_pixels import decode_and_cut_tf
from keras_resnetv2.data.decoding import (
    is_webp,
    png_sides,
    read_numbers,
    webp_sides,
)
from keras_resnetv2.data.orientation import turn_of_tf


class Rows(NamedTuple):
    """The pictures among the rows of a request.

    Attributes:
        images: float32 (M, size, size, 3), 0 to 255: the M rows that are
            pictures. If there is none, one black image.
        places: int64 (M,): their row indices; N for the black image.
        count: N, the number of rows.
    """

    images: tf.Tensor
    places: tf.Tensor
    count: tf.Tensor

    def spread(self, values: tf.Tensor) -> tf.Tensor:
        """Puts the values of the images into their rows.

        Args:
            values: (M, ...).

        Returns:
            (N, ...), 0 in the rows that are not pictures.
        """
        more = tf.shape(values, out_type=tf.int64)[1:]
        shape = tf.concat([self.count[None] + 1, more], axis=0)
        return tf.scatter_nd(self.places[:, None], values, shape)[:-1]

    @property
    def valid(self) -> tf.Tensor:
        """Bool (N,): whether each row is a picture."""
        return self.spread(tf.ones_like(self.places)) > 0


def decode_rows(
    encoded: tf.Tensor, *, size: int, resize: int, pixel_limit: int
) -> Rows:
    """Decodes, resizes and crops pictures as in evaluation.

    A row that cannot be read does not make the others fail, because tf.data
    skips it. No other TensorFlow operation can ignore errors.

    Args:
        encoded: (N,) strings: JPEG, PNG, GIF, BMP or WebP files of any size.
        size: Side of the square in pixels.
        resize: Length of the shorter side before the centre crop.
        pixel_limit: The largest number of pixels of a file to decode.

    Returns:
        A `Rows`.
    """
    rule = crops.center(resize)

    def decode(row, file):
        file = check_pixels(file, pixel_limit)
        pixels = decode_and_cut_tf(
            file,
            lambda height, width: rule.choose(tnp, None, height, width, size),
            size,
            turn_of_tf(file),
        )
        return row, pixels

    count = tf.size(encoded, out_type=tf.int64)
    black = tf.data.Dataset.from_tensors((count, tf.zeros((size, size, 3))))
    rows = (
        tf.data.Dataset.from_tensor_slices(encoded)
        .enumerate()
        .map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .ignore_errors()
        .concatenate(black)
        .batch(count + 1)
        .with_options(_options())
    )
    places, images = rows.get_single_element()
    # Without pictures the black image stays: networks cannot take 0 images.
    pictures = tf.maximum(tf.size(places) - 1, 1)
    return Rows(images[:pictures], places[:pictures], count)


def _options():
    """Turns off optimizations that cost each request time and save none."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


# Progressive JPEGs have about ten.
_JPEG_SCAN, _MOST_SCANS = b"\xff\xda", 100
_GIF_SCREEN = 13  # bytes, up to the global colour table
_GIF_DESCRIPTOR = 10
_GIF_TRAILER = b";"
_GIF_EXTENSION, _GIF_IMAGE = b"!"[0], b","[0]


def check_pixels(encoded: tf.Tensor, limit: int) -> tf.Tensor:
    """Checks that a file is an image within the pixel limit.

    Args:
        encoded: Scalar, the bytes of a file.
        limit: The largest number of pixels to decode.

    Returns:
        The bytes to decode; for an animated GIF, those of the first frame.

    Raises:
        tf.errors.InvalidArgumentError: At run time, if this is not a JPEG, PNG,
            GIF, BMP or still WebP, has more than `limit` pixels, or is a JPEG
            with too many scans.
    """
    kinds = [
        (b"\xff\xd8\xff", _jpeg),
        (b"\x89PNG\r\n\x1a\n", _png),
        (b"GIF8", _gif),
        (b"BM", _bmp),
        (b"RIFF", _webp),
    ]
    sides, encoded = tf.case(
        [
            (
                tf.strings.substr(encoded, 0, len(magic)) == magic,
                lambda read=read: read(encoded),
            )
            for magic, read in kinds
        ],
        default=lambda: _unknown(encoded),
    )
    sides = tf.cast(sides, tf.int64)
    fits = tf.reduce_all(sides > 0) & (tf.reduce_prod(sides) <= limit)
    message = ["An image of", sides, f"pixels; the limit is {limit}."]
    with tf.control_dependencies([tf.debugging.Assert(fits, message)]):
        return tf.identity(encoded)


def _jpeg(encoded):
    # Each scan of a progressive JPEG takes a pass over all pixels.
    data = tf.io.decode_raw(encoded, tf.uint8)
    is_scan = (data[:-1] == _JPEG_SCAN[0]) & (data[1:] == _JPEG_SCAN[1])
    scans = tf.math.count_nonzero(is_scan, dtype=tf.int32)
    message = ["A JPEG with", scans, f"scans; the limit is {_MOST_SCANS}."]
    with tf.control_dependencies(
        [tf.debugging.Assert(scans <= _MOST_SCANS, message)]
    ):
        return tf.io.extract_jpeg_shape(encoded)[:2], encoded


def _png(encoded):
    return png_sides(encoded), encoded


def _webp(encoded):
    # RIFF files may contain other data.
    sides = tf.where(is_webp(encoded), webp_sides(encoded), 0)
    return sides, encoded


def _bmp(encoded):
    # With a negative height, the rows are stored from the top.
    return tf.abs(read_numbers(encoded, 18, 2, tf.int32)), encoded


def _unknown(encoded):
    known = tf.debugging.Assert(False, ["Not a JPEG, PNG, GIF, BMP or WebP."])
    with tf.control_dependencies([known]):
        return tf.zeros(2, tf.int32), encoded


def _gif(encoded):
    """Cuts off all frames after the first.

    TensorFlow would decode all of them, and then drop them.
    """
    data = tf.io.decode_raw(encoded, tf.uint8)
    # Blocks have 255 bytes, except the last of each chain. A file of tiny
    # blocks would keep the loop busy for minutes.
    steps = tf.size(data) // 64 + 256

    def go_on(position, in_chain, sides):
        del position
        return in_chain | tf.reduce_any(sides == 0)

    def step(position, in_chain, sides):
        return tf.cond(
            in_chain,
            lambda: _skip_block(data, position, sides),
            lambda: _begin_chain(encoded, data, position, sides),
        )

    position, in_chain, sides = tf.while_loop(
        go_on,
        step,
        (
            _GIF_SCREEN + _colour_table(data[10]),
            tf.constant(False),
            tf.zeros(2, tf.int32),
        ),
        maximum_iterations=steps,
    )
    found = tf.debugging.Assert(
        ~go_on(position, in_chain, sides), ["A GIF with too many blocks."]
    )
    with tf.control_dependencies([found]):
        first = tf.strings.substr(encoded, 0, position)
        return sides, first + _GIF_TRAILER


def _colour_table(flags):
    flags = tf.cast(flags, tf.int32)
    return tf.where(flags >= 0x80, 3 * 2 ** (flags % 8 + 1), 0)


def _skip_block(data, position, sides):
    length = tf.cast(data[position], tf.int32)
    return position + 1 + length, length > 0, sides


def _begin_chain(encoded, data, position, sides):
    def extension():
        return position + 2, True, sides

    def image():
        width_height = read_numbers(encoded, position + 5, 2, tf.uint16)
        local = _colour_table(data[position + 9])
        return (
            position + _GIF_DESCRIPTOR + local + 1,
            True,
            tf.cast(width_height, tf.int32),
        )

    def other():
        with tf.control_dependencies(
            [tf.debugging.Assert(False, ["A GIF without an image."])]
        ):
            return position, False, sides

    return tf.case(
        [
            (data[position] == _GIF_EXTENSION, extension),
            (data[position] == _GIF_IMAGE, image),
        ],
        default=other,
    )
