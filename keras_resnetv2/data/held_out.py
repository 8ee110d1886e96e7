"""Splits a held-out part off the training images."""

from typing import TypeVar

import numpy as np

from keras_resnetv2._checks import PROPER_FRACTION, check_number
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.image_folder import FolderImages
from keras_resnetv2.data.tfds_images import TFDSImages

Images = TypeVar("Images", ImageData, FolderImages, TFDSImages)


def hold_out(data: Images, fraction: float) -> tuple[Images, Images]:
    """Splits images into a part to train on and a part held out for testing.

    The split is always the same, whatever seeds are set. Both parts keep the
    order of `data`. From images in memory or in a folder, round(fraction *
    number) images of each class are chosen at random. Images that TFDS streams
    have no index: the last round(fraction * number) are held out. TFDS shuffled
    them when it prepared the dataset.

    Args:
        data: the result of `load_arrays` or `open_images`.
        fraction: fraction of the images to hold out, 0 < fraction < 1. He et
            al. (2015) hold out a tenth of CIFAR-10's 50,000.

    Returns:
        The rest and the held-out part, of the same type as `data`. For images
        in memory both are copies.

    Raises:
        ValueError: if the fraction is out of range, a part would be empty, or
            TFDS has not shuffled the images.

    Reference:
        He et al., Deep Residual Learning for Image Recognition, 2015
        (https://arxiv.org/abs/1512.03385), section 4.2.

    Example:
        >>> from keras_resnetv2.data import load_arrays
        >>> rest, held_out = hold_out(load_arrays("fake"), 0.125)
        >>> len(rest), len(held_out)
        (452, 60)
    """
    check_number("fraction", fraction, PROPER_FRACTION)
    if isinstance(data, TFDSImages):
        return _cut_shuffled(data, fraction)
    held_out = _drawn(data.labels, fraction)
    _check_parts(len(data), held_out.sum(), fraction)
    return data.select(~held_out), data.select(held_out)


def _drawn(labels, fraction):
    """Returns for each image whether it is held out: bool, (N,)."""
    # RandomState's numbers never change; Generator's may change with NumPy.
    random = np.random.RandomState(0)
    drawn = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == label))
        drawn[places[: round(fraction * len(places))]] = True
    return drawn


def _cut_shuffled(data, fraction):
    if not data.shuffled:
        raise ValueError(
            f"TFDS has not shuffled {data.name!r}, so its last images may all "
            f"be of one class. To hold images out, use an image folder, or "
            f"images in memory (load_arrays)."
        )
    first = len(data) - round(fraction * len(data))
    _check_parts(len(data), len(data) - first, fraction)
    return data.slice(0, first), data.slice(first, len(data))


def _check_parts(count, held_out, fraction):
    if held_out in (0, count):
        raise ValueError(
            f"Holding out {fraction} of {count} images leaves "
            f"{count - held_out} to train on and {held_out} to test on. Use "
            f"another fraction, or more images."
        )
