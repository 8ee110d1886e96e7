"""Image files to pixels with TensorFlow, where its own decoder falls short."""

import tensorflow as tf

# Where a BMP file keeps its numbers, and which compressions are none.
_BMP_PIXELS, _BMP_HEADER, _BMP_BITS, _BMP_COMPRESSION = 10, 14, 28, 30
_BMP_PLAIN = (0, 3)


def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame of an image file.

    As `tf.io.decode_image`, and of BMP files with a palette the colours
    instead of the numbers in the palette.

    Args:
        encoded: scalar, the bytes of a JPEG, PNG, GIF, BMP or WebP.

    Returns:
        uint8, (height, width, 3). Transparency is left out; of 16 bits the
        upper 8 are taken.

    Raises:
        tf.errors.InvalidArgumentError: When it runs, if they cannot be read.
    """
    is_bmp = tf.strings.substr(encoded, 0, 2) == b"BM"
    return tf.cond(is_bmp, lambda: _bmp(encoded), lambda: _other(encoded))


def read_numbers(
    encoded: tf.Tensor,
    position: int | tf.Tensor,
    count: int,
    dtype: tf.DType,
    little_endian: bool = True,
) -> tf.Tensor:
    """Reads numbers out of a file's bytes.

    Args:
        encoded: scalar, the bytes.
        position: of the first number, in bytes.
        count: how many.
        dtype: of each.
        little_endian: whether the lowest byte comes first.

    Returns:
        (count,) of `dtype`.

    Raises:
        tf.errors.InvalidArgumentError: When it runs, if the file ends before.
    """
    part = tf.strings.substr(encoded, position, count * dtype.size)
    numbers = tf.io.decode_raw(part, dtype, little_endian=little_endian)
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.size(numbers) == count, ["The file is cut."])]
    ):
        return tf.ensure_shape(numbers, (count,))


def _other(encoded):
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def _bmp(encoded):
    bits = read_numbers(encoded, _BMP_BITS, 1, tf.int16)[0]
    compression = read_numbers(encoded, _BMP_COMPRESSION, 1, tf.int32)[0]
    plain = tf.reduce_any(compression == tf.constant(_BMP_PLAIN))
    message = ["TensorFlow reads no compressed BMP; save it as PNG."]
    with tf.control_dependencies([tf.debugging.Assert(plain, message)]):
        return tf.cond(
            bits == 8,
            lambda: _bmp_with_palette(encoded),
            lambda: _other(encoded),
        )


def _bmp_with_palette(encoded):
    begin = _BMP_HEADER + read_numbers(encoded, _BMP_HEADER, 1, tf.int32)[0]
    end = read_numbers(encoded, _BMP_PIXELS, 1, tf.int32)[0]
    palette = tf.io.decode_raw(
        tf.strings.substr(encoded, begin, end - begin), tf.uint8
    )
    rgb = tf.reshape(palette, (-1, 4))[:, 2::-1]  # stored as B, G, R, 0
    numbers = tf.io.decode_bmp(encoded, channels=0)[..., 0]
    return tf.gather(rgb, tf.cast(numbers, tf.int32))
