"""Scales and crops images to squares of one size; checks memory needs."""

from collections.abc import Sequence

import numpy as np

from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.crops import Crop

MEMORY_LIMIT = 8 * 1024**3
# An image with a larger ratio of long to short side is cropped before scaling.
_LONG = 16


def check_memory(count: int, shape: Sequence[int]) -> None:
    """Checks that images fit into memory as one array.

    Args:
        count: number of images.
        shape: height, width and channels of each image.

    Raises:
        ValueError: if they need more than `MEMORY_LIMIT` bytes as uint8.
    """
    needed = count * int(np.prod(shape, dtype=np.int64))
    if needed > MEMORY_LIMIT:
        raise ValueError(
            f"{count:,} images of shape {tuple(shape)} need "
            f"{needed / 1024**3:.1f} GiB of memory; the limit for datasets in "
            f"memory is {MEMORY_LIMIT / 1024**3:.0f} GiB. Use a smaller "
            f"image_size or fewer images."
        )


def resize_and_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Scales the shorter side to `size` and cuts out the centre square.

    Pillow does it bilinearly with antialiasing, so that all sources of images
    give the same pixels. An image of the right size is returned unchanged.

    Args:
        image: uint8, (height, width, 3).
        size: side of the square, in pixels.

    Returns:
        uint8, (size, size, 3).
    """
    from PIL import Image

    height, width = image.shape[:2]
    shorter = min(height, width)
    if max(height, width) > _LONG * shorter:
        return _resize_centre(image, size)
    if shorter != size:
        height = round(height * size / shorter)
        width = round(width * size / shorter)
        image = np.asarray(
            Image.fromarray(image).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]


def _resize_centre(image, size):
    """Does the same, but crops before scaling.

    The pixels cut off may be gigabytes: scaled to 224 rows, a row of 6,000
    pixels has a million columns. By rounding, some pixels differ by 1.
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) / 2, (width - shorter) / 2
    return cut(image, Crop(top, left, shorter, shorter, flip=False), size)


class ImageCollector:
    """Collects single images in one array.

    Args:
        count: the number of images to come.
        image_size: side of the squares to which they are scaled and cropped;
            `None` keeps them, and then all must have the same size.
    """

    def __init__(self, count: int, image_size: int | None):
        self._count = count
        self._size = image_size
        self._filled = 0
        self._images = None
        if image_size is not None:
            self._allocate((image_size, image_size, 3))

    def _allocate(self, shape):
        check_memory(self._count, shape)
        self._images = np.empty((self._count, *shape), np.uint8)

    def add(self, image: np.ndarray) -> None:
        """Adds the next image.

        Args:
            image: uint8, (height, width, 3).

        Raises:
            ValueError: if its size differs and no image size was given.
        """
        if self._size is not None:
            image = resize_and_crop(image, self._size)
        if self._images is None:
            self._allocate(image.shape)
        if image.shape != self._images.shape[1:]:
            raise ValueError(
                f"The images differ in size: received {self._images.shape[1:]} "
                f"and {image.shape} (height, width, channels). Set image_size "
                f"to bring all images to one size."
            )
        self._images[self._filled] = image
        self._filled += 1

    @property
    def images(self) -> np.ndarray:
        """The images added so far: uint8, (N, height, width, 3)."""
        return self._images[: self._filled]


def resize_all(images: np.ndarray, image_size: int | None) -> np.ndarray:
    """Scales and crops an array of images to another size.

    Args:
        images: uint8, (N, height, width, 3).
        image_size: side of the squares; `None` keeps the images as they are.

    Returns:
        uint8, (N, image_size, image_size, 3), or `images` itself.
    """
    if image_size is None or images.shape[1:3] == (image_size, image_size):
        return images
    collector = ImageCollector(len(images), image_size)
    for image in images:
        collector.add(image)
    return collector.images
