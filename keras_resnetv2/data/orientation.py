"""Reads EXIF's orientation and turns pixels upright.

The orientation is read only from the EXIF data of a JPEG, PNG or WebP, not from
XMP, and not from the text chunks that ImageMagick writes into a PNG.

Reference: CIPA DC-008, Exif 2.32, tag 0x0112.
"""

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

TAG = 0x0112


class Turn(NamedTuple):
    """The operations that turn stored pixels upright, in this order.

    Attributes:
        transpose: rows become columns.
        flip_rows: the last row becomes the first.
        flip_columns: the last column becomes the first.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool


# Indexed by the tag's value, 1 to 8. 0 means a missing or invalid tag.
TURNS = (
    Turn(False, False, False),
    Turn(False, False, False),
    Turn(False, False, True),
    Turn(False, True, True),
    Turn(False, True, False),
    Turn(True, False, False),
    Turn(True, False, True),
    Turn(True, True, True),
    Turn(True, True, False),
)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns pixels upright.

    Args:
        pixels: (height, width, channels), as stored.
        orientation: the tag's value; values outside 1..8 count as 1.

    Returns:
        A view. Some orientations swap height and width.
    """
    turn = TURNS[orientation if 0 <= orientation < len(TURNS) else 0]
    if turn.transpose:
        pixels = pixels.swapaxes(0, 1)
    if turn.flip_rows:
        pixels = pixels[::-1]
    return pixels[:, ::-1] if turn.flip_columns else pixels


def turn_of_tf(encoded: "tf.Tensor") -> Turn:
    """Reads which turn an image file needs, in TensorFlow.

    Args:
        encoded: scalar, the bytes of a file of any type.

    Returns:
        Scalar bool tensors. Damaged EXIF data is ignored.
    """
    import tensorflow as tf

    return Turn(*tf.unstack(_flags_of()(encoded)))


@functools.cache
def _flags_of():
    """`turn_of_tf` as one tensor; traced once, not once per stream."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    )
    def flags_of(encoded):
        # In a PNG it may be anywhere.
        head = tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.strings.substr(encoded, 0, _JPEG_HEAD),
            lambda: encoded,
        )
        # The extra byte makes even an empty file non-empty.
        data = tf.io.decode_raw(tf.strings.join([head, b"\0"]), tf.uint8)
        exif = _find_exif(data)
        orientation = tf.cond(
            exif > 0, lambda: _read_tag(data, exif), lambda: 0
        )
        return tf.gather(tf.constant(TURNS), orientation)

    return flags_of


def turned_tf(pixels: "tf.Tensor", turn: Turn) -> "tf.Tensor":
    """`turned` in TensorFlow, with a turn from `turn_of_tf`."""
    import tensorflow as tf

    pixels = tf.cond(
        turn.transpose, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels
    )
    axes = tf.boolean_mask([0, 1], [turn.flip_rows, turn.flip_columns])
    return tf.reverse(pixels, axes)


def stored_window_tf(
    window: "tf.Tensor", shape: "tf.Tensor", turn: Turn
) -> "tf.Tensor":
    """Returns which stored pixels become a window of the upright image.

    Args:
        window: int32 (4,): top, left, height and width.
        shape: int32 (2,): height and width of the upright image.
        turn: the image's turn.

    Returns:
        int32 (4,), the window in the stored image.
    """
    import tensorflow as tf

    corner, sides = window[:2], window[2:]
    flips = tf.stack([turn.flip_rows, turn.flip_columns])
    corner = tf.where(flips, shape - corner - sides, corner)
    stored = tf.stack([corner, sides])
    stored = tf.where(turn.transpose, stored[:, ::-1], stored)
    return tf.reshape(stored, (4,))


# First bytes of a file, the marker before its EXIF data, and the distance from
# the marker to the data. A PNG chunk has its length before its name.
_FILES = (
    (b"\xff\xd8\xff", b"Exif\0\0", 6),
    (b"\x89PNG\r\n\x1a\n", b"eXIf", 4),
    (b"RIFF", b"EXIF", 8),
)
# EXIF data begins with one of these. In a JPEG it is near the beginning.
_BEGINS = (b"II*\0", b"MM\0*")
_JPEG_HEAD = 2**16


def _find_exif(data):
    """Returns the position of the EXIF data; 0 if there is none."""
    import tensorflow as tf

    return tf.case(
        [
            (
                _begins(data, 0, magic),
                lambda name=name, skip=skip: _search(data, name, skip),
            )
            for magic, name, skip in _FILES
        ],
        default=lambda: 0,
    )


def _search(data, name, skip):
    """Finds EXIF data by its marker.

    Following the chunks would be exact, but ten times slower. The same eight
    bytes are very unlikely to occur in pixels.
    """
    import tensorflow as tf

    places = tf.cast(tf.where(data == name[0])[:, 0], tf.int32)
    exif = places + skip
    # Some programs repeat the JPEG marker of EXIF data in WebP files.
    exif += tf.where(_begins(data, exif, _FILES[0][1]), 6, 0)
    begins = [_begins(data, exif, begin) for begin in _BEGINS]
    found = _begins(data, places, name) & tf.reduce_any(begins, axis=0)
    return tf.concat([exif[found], [0]], axis=0)[0]


def _read_tag(data, exif):
    """Reads the orientation from EXIF data; 0 if there is none."""
    import tensorflow as tf

    little = _begins(data, exif, b"I")
    directory = exif + number(data, exif + 4, 4, little)
    entries = number(data, directory, 2, little)
    begin = directory + 2
    fits = (directory > exif) & (begin + 12 * entries <= tf.size(data))
    begins = begin + 12 * tf.range(tf.where(fits, entries, 0))
    tags = number(data, begins, 2, little)
    values = number(data, begins + 8, 2, little)
    found = tf.boolean_mask(values, tags == TAG)
    found = tf.concat([found, [0]], axis=0)[0]
    return tf.where((found > 0) & (found < len(TURNS)), found, 0)


def _begins(data, position, text):
    """Returns whether a text begins at a position, or at each of several."""
    import tensorflow as tf

    found = _bytes(data, position, len(text)) == list(text)
    return tf.reduce_all(found, axis=-1)


def number(data, position, count, little):
    """Reads integers from a file.

    Args:
        data: uint8, (N,): the file.
        position: position of a number, or an int32 tensor of several. Bytes
            beyond the end are 0.
        count: number of bytes per number, at most 4.
        little: whether the lowest byte comes first.

    Returns:
        int32, with the shape of `position`.
    """
    import tensorflow as tf

    shifts = 8 * tf.range(count)
    shifts = tf.where(little, shifts, shifts[::-1])
    digits = tf.bitwise.left_shift(_bytes(data, position, count), shifts)
    return tf.reduce_sum(digits, axis=-1)


def _bytes(data, position, count):
    """Reads bytes as int32; bytes beyond the end are 0."""
    import tensorflow as tf

    places = tf.expand_dims(position, -1) + tf.range(count)
    inside = (places >= 0) & (places < tf.size(data))
    found = tf.gather(data, tf.where(inside, places, 0))
    return tf.where(inside, tf.cast(found, tf.int32), 0)
