"""Images of any size to squares of one size, and what memory can hold."""

from collections.abc import Sequence

import numpy as np

from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.crops import Crop

MEMORY_LIMIT = 8 * 1024**3
# Longer than that many times its shorter side, an image is not scaled whole.
_LONG = 16


def check_memory(count: int, shape: Sequence[int]) -> None:
    """Refuses images that are too many to be held as one array.

    Args:
        count: how many images.
        shape: height, width and channels of each.

    Raises:
        ValueError: if they need more than `MEMORY_LIMIT` bytes as uint8.
    """
    needed = count * int(np.prod(shape, dtype=np.int64))
    if needed > MEMORY_LIMIT:
        raise ValueError(
            f"{count:,} images of shape {tuple(shape)} need "
            f"{needed / 1024**3:.1f} GiB of memory; datasets are held in "
            f"memory up to {MEMORY_LIMIT / 1024**3:.0f} GiB. Give a smaller "
            f"image_size or take fewer images."
        )


def resize_and_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Scales the shorter side to `size` and cuts the centre square out.

    Bilinear with antialiasing (Pillow), so that every source of images gives
    the same pixels. An image of the right size comes back as it is.

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
    """Does the same without the pixels that are cut off.

    They may be gigabytes: scaled to 224 rows, a row of 6,000 pixels has a
    million columns. Rounding makes a difference of 1 in some pixels.
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) / 2, (width - shorter) / 2
    return cut(image, Crop(top, left, shorter, shorter, flip=False), size)


class ImageCollector:
    """Fills one array with images that arrive one at a time.

    Args:
        count: how many will arrive.
        image_size: side of the squares they are made; `None` keeps them as
            they are, and then they must be of one size.
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
        """Takes the next image.

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
                f"The images differ in size: {self._images.shape[1:]} and "
                f"{image.shape} (height, width, channels) came. Give "
                f"image_size, the side to which they shall be made alike."
            )
        self._images[self._filled] = image
        self._filled += 1

    @property
    def images(self) -> np.ndarray:
        """The images that came: uint8, (N, height, width, 3)."""
        return self._images[: self._filled]


def resize_all(images: np.ndarray, image_size: int | None) -> np.ndarray:
    """Brings an array of images to another size.

    Args:
        images: uint8, (N, height, width, 3).
        image_size: side of the squares; `None` leaves the images alone.

    Returns:
        uint8, (N, image_size, image_size, 3), or `images` itself.
    """
    if image_size is None or images.shape[1:3] == (image_size, image_size):
        return images
    collector = ImageCollector(len(images), image_size)
    for image in images:
        collector.add(image)
    return collector.images
