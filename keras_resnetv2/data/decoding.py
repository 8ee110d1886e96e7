"""Decodes image files with TensorFlow, with fixes for its own decoder."""

import tensorflow as tf

from keras_resnetv2.data.orientation import number

_PNG = b"\x89PNG\r\n\x1a\n"
# Byte offsets in a BMP file, and the compression values that mean "none".
_BMP_PIXELS, _BMP_HEADER, _BMP_SIDES = 10, 14, 18
_BMP_BITS, _BMP_COMPRESSION = 28, 30
_BMP_PLAIN = (0, 3)


# Traced once, not once per stream.
@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame of an image file.

    Like `tf.io.decode_image`, but also reads BMP files with a palette and WebP
    files with an alpha channel.

    Args:
        encoded: scalar, the bytes of a JPEG, PNG, GIF, BMP or WebP.

    Returns:
        uint8, (height, width, 3). Transparency is ignored. Of 16-bit values the
        upper 8 bits are kept.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if they cannot be read.
    """
    return tf.case(
        [
            (
                tf.strings.substr(encoded, 0, 2) == b"BM",
                lambda: _bmp(encoded),
            ),
            (is_webp(encoded), lambda: _webp(encoded)),
        ],
        default=lambda: _other(encoded),
    )


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
        position: byte offset of the first number.
        count: how many numbers.
        dtype: their type.
        little_endian: whether the lowest byte comes first.

    Returns:
        (count,) of `dtype`.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if the file is too short.
    """
    part = tf.strings.substr(encoded, position, count * dtype.size)
    numbers = tf.io.decode_raw(part, dtype, little_endian=little_endian)
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.size(numbers) == count, ["Truncated file."])]
    ):
        return tf.ensure_shape(numbers, (count,))


def is_png(encoded: tf.Tensor) -> tf.Tensor:
    """Whether a file is a PNG, by its first bytes: bool, scalar."""
    return tf.strings.substr(encoded, 0, len(_PNG)) == _PNG


def png_sides(encoded: tf.Tensor) -> tf.Tensor:
    """Reads height and width out of a PNG's header.

    Args:
        encoded: scalar, the bytes of a PNG.

    Returns:
        int32, (2,); zeros if the header is not the first chunk.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if the file is too short.
    """
    # libpng skips unknown chunks, even before the header.
    begins = tf.strings.substr(encoded, 8, 8) == b"\0\0\0\rIHDR"
    sides = read_numbers(encoded, 16, 2, tf.int32, little_endian=False)
    return tf.where(begins, sides[::-1], 0)


def is_webp(encoded: tf.Tensor) -> tf.Tensor:
    """Whether a file is a WebP, by its first bytes: bool, scalar."""
    head = tf.strings.substr(encoded, 0, 12)
    return tf.strings.regex_full_match(head, r"RIFF\C{4}WEBP")


def webp_sides(encoded: tf.Tensor) -> tf.Tensor:
    """Reads height and width out of a WebP's header.

    Args:
        encoded: scalar, the bytes of a WebP.

    Returns:
        int32, (2,); zeros if it is of an unknown kind, or animated, which
        TensorFlow does not support.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if the file is too short.

    Reference:
        RFC 9649, WebP Image Format.
    """
    head = read_numbers(encoded, 0, 30, tf.uint8)
    kind = tf.strings.substr(encoded, 12, 4)

    def at(position, count):
        return number(head, position, count, little=True)

    def lossy():
        return tf.stack([at(28, 2), at(26, 2)]) % 2**14

    def lossless():
        bits = at(21, 4)
        return tf.stack([bits // 2**14, bits]) % 2**14 + 1

    def extended():
        animated = at(20, 1) // 2 % 2 == 1
        return tf.where(animated, 0, tf.stack([at(27, 3), at(24, 3)]) + 1)

    return tf.case(
        [
            (kind == b"VP8 ", lossy),
            (kind == b"VP8L", lossless),
            (kind == b"VP8X", extended),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )


def _other(encoded):
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def _webp(encoded):
    # TensorFlow 2.21 crashes on an animated WebP.
    still = tf.reduce_all(webp_sides(encoded) > 0)
    message = ["TensorFlow cannot read animated WebP."]
    with tf.control_dependencies([tf.debugging.Assert(still, message)]):
        encoded = tf.identity(encoded)
    # A WebP can only be read with the number of channels it has.
    pixels = tf.io.decode_image(encoded, channels=0, expand_animations=False)
    return tf.ensure_shape(pixels[..., :3], (None, None, 3))


def _bmp(encoded):
    bits = read_numbers(encoded, _BMP_BITS, 1, tf.int16)[0]
    compression = read_numbers(encoded, _BMP_COMPRESSION, 1, tf.int32)[0]
    plain = tf.reduce_any(compression == tf.constant(_BMP_PLAIN))
    message = ["TensorFlow cannot read compressed BMP; save it as PNG."]
    with tf.control_dependencies([tf.debugging.Assert(plain, message)]):
        return tf.cond(
            bits <= 8,
            lambda: _bmp_with_palette(encoded, tf.cast(bits, tf.int32)),
            lambda: _other(encoded),
        )


def _bmp_with_palette(encoded, bits):
    """Decodes a BMP of 1, 4 or 8 bits per pixel; TensorFlow only reads 8."""
    begin = _BMP_HEADER + read_numbers(encoded, _BMP_HEADER, 1, tf.int32)[0]
    end = read_numbers(encoded, _BMP_PIXELS, 1, tf.int32)[0]
    palette = tf.io.decode_raw(
        tf.strings.substr(encoded, begin, end - begin), tf.uint8
    )
    rgb = tf.reshape(palette, (-1, 4))[:, 2::-1]  # stored as B, G, R, 0
    width, height = tf.unstack(read_numbers(encoded, _BMP_SIDES, 2, tf.int32))
    rows = tf.abs(height)
    # Rows are padded to a multiple of 4 bytes.
    stride = (width * bits + 31) // 32 * 4
    packed = tf.io.decode_raw(
        tf.strings.substr(encoded, end, rows * stride), tf.uint8
    )
    packed = tf.reshape(packed, (rows, stride, 1))
    shifts = tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8)
    numbers = tf.bitwise.right_shift(packed, shifts)
    numbers = tf.cast(numbers, tf.int32) & (2**bits - 1)
    numbers = tf.reshape(numbers, (rows, -1))[:, :width]
    # With a negative height, the rows are stored from the top.
    numbers = tf.cond(height > 0, lambda: numbers[::-1], lambda: numbers)
    return tf.gather(rgb, numbers)
