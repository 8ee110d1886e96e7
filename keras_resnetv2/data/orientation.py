"""EXIF's orientation: how a camera was held, and pixels turned upright.

Read from a JPEG's, a PNG's or a WebP's EXIF data alone: not from XMP, and not
from what ImageMagick writes into a PNG's texts.

Reference: CIPA DC-008, Exif 2.32, tag 0x0112.
"""

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

TAG = 0x0112


class Turn(NamedTuple):
    """What makes stored pixels upright: done in this order.

    Attributes:
        transpose: rows become columns.
        flip_rows: the last row becomes the first.
        flip_columns: the last column becomes the first.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool


# By the tag's value, 1 to 8; 0 stands for none and for nonsense.
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
        orientation: the tag's value; what is not in 1..8 counts as 1.

    Returns:
        A view; where the orientation says so, of swapped height and width.
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
        encoded: scalar, the bytes of a file of any kind.

    Returns:
        Scalar bool tensors. Damaged EXIF data count as none.
    """
    import tensorflow as tf

    return Turn(*tf.unstack(_flags_of()(encoded)))


@functools.cache
def _flags_of():
    """`turn_of_tf` as one tensor: traced once, not for every stream."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    )
    def flags_of(encoded):
        # A PNG may have it anywhere.
        head = tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.strings.substr(encoded, 0, _JPEG_HEAD),
            lambda: encoded,
        )
        # Not even an empty file is empty then.
        data = tf.io.decode_raw(tf.strings.join([head, b"\0"]), tf.uint8)
        exif = _find_exif(data)
        orientation = tf.cond(
            exif > 0, lambda: _read_tag(data, exif), lambda: 0
        )
        return tf.gather(tf.constant(TURNS), orientation)

    return flags_of


def turned_tf(pixels: "tf.Tensor", turn: Turn) -> "tf.Tensor":
    """`turned` in TensorFlow, of what `turn_of_tf` read."""
    import tensorflow as tf

    pixels = tf.cond(
        turn.transpose, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels
    )
    axes = tf.boolean_mask([0, 1], [turn.flip_rows, turn.flip_columns])
    return tf.reverse(pixels, axes)


def stored_window_tf(
    window: "tf.Tensor", shape: "tf.Tensor", turn: Turn
) -> "tf.Tensor":
    """Tells which stored pixels turn into a window of the upright image.

    Args:
        window: int32 (4,): top, left, height and width.
        shape: int32 (2,): height and width of the upright image.
        turn: of the image.

    Returns:
        int32 (4,), in the image as it is stored.
    """
    import tensorflow as tf

    corner, sides = window[:2], window[2:]
    flips = tf.stack([turn.flip_rows, turn.flip_columns])
    corner = tf.where(flips, shape - corner - sides, corner)
    stored = tf.stack([corner, sides])
    stored = tf.where(turn.transpose, stored[:, ::-1], stored)
    return tf.reshape(stored, (4,))


# What a file begins with; what stands before its EXIF data, and how far before.
# A part of a PNG has its length before its name.
_FILES = (
    (b"\xff\xd8\xff", b"Exif\0\0", 6),
    (b"\x89PNG\r\n\x1a\n", b"eXIf", 4),
    (b"RIFF", b"EXIF", 8),
)
# EXIF data begin with one of these. A JPEG has them near its beginning.
_BEGINS = (b"II*\0", b"MM\0*")
_JPEG_HEAD = 2**16


def _find_exif(data):
    """Finds where the EXIF data begin; 0 if there are none."""
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
    """Finds EXIF data by their name.

    Going from part to part would be exact, and ten times as slow. In pixels,
    eight bytes like these are not to be expected.
    """
    import tensorflow as tf

    places = tf.cast(tf.where(data == name[0])[:, 0], tf.int32)
    exif = places + skip
    # Some writers of WebP files repeat what begins EXIF data in a JPEG.
    exif += tf.where(_begins(data, exif, _FILES[0][1]), 6, 0)
    begins = [_begins(data, exif, begin) for begin in _BEGINS]
    found = _begins(data, places, name) & tf.reduce_any(begins, axis=0)
    return tf.concat([exif[found], [0]], axis=0)[0]


def _read_tag(data, exif):
    """Reads the orientation out of EXIF data; 0 where there is none."""
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
    """Whether a text begins at a position, or at each of several."""
    import tensorflow as tf

    found = _bytes(data, position, len(text)) == list(text)
    return tf.reduce_all(found, axis=-1)


def number(data, position, count, little):
    """Reads whole numbers out of a file.

    Args:
        data: uint8, (N,): the file.
        position: of a number in it, or an int32 tensor of several; beyond the
            end, bytes are 0.
        count: how many bytes a number has, 4 at most.
        little: whether the lowest byte comes first.

    Returns:
        int32, of the shape of `position`.
    """
    import tensorflow as tf

    shifts = 8 * tf.range(count)
    shifts = tf.where(little, shifts, shifts[::-1])
    digits = tf.bitwise.left_shift(_bytes(data, position, count), shifts)
    return tf.reduce_sum(digits, axis=-1)


def _bytes(data, position, count):
    """Reads bytes as int32; one beyond the end is 0."""
    import tensorflow as tf

    places = tf.expand_dims(position, -1) + tf.range(count)
    inside = (places >= 0) & (places < tf.size(data))
    found = tf.gather(data, tf.where(inside, places, 0))
    return tf.where(inside, tf.cast(found, tf.int32), 0)
