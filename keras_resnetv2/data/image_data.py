"""The two types that represent a dataset in this package."""

import abc
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_resnetv2._text import brief

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """Labelled images in memory.

    Attributes:
        images: uint8, (N, height, width, 3), values 0 to 255.
        labels: int32, (N,), values 0 to classes - 1.
        class_names: the name of each class; label `i` means `class_names[i]`.

    Raises:
        ValueError: if the parts do not match each other.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    __repr__ = brief

    def __post_init__(self):
        """Checks that the parts match each other."""
        images, labels = self.images, self.labels
        _check_array("images", images, np.uint8, "(N, height, width, 3)", 4)
        _check_array("labels", labels, np.int32, "(N,)", 1)
        if images.shape[-1] != 3 or 0 in images.shape:
            raise ValueError(
                f"images must have the shape (N, height, width, 3), with at "
                f"least one image; received {images.shape}."
            )
        if len(images) != len(labels):
            raise ValueError(
                f"Each image needs one label; received {len(images)} images "
                f"and {len(labels)} labels."
            )
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(
                f"Labels must be in 0..{self.classes - 1} for "
                f"{self.classes} class names; received {labels.min()}.."
                f"{labels.max()}."
            )

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.images)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        return self.images.shape[1:]

    def take(self, count: int) -> "ImageData":
        """Returns the first images, without copying them.

        Args:
            count: how many, 1 to `len(self)`.

        Returns:
            An `ImageData` of that length with the same class names.

        Raises:
            ValueError: if `count` is out of range.
        """
        if not 1 <= count <= len(self):
            raise ValueError(
                f"count must be in 1..{len(self)}, the number of images; "
                f"received {count}."
            )
        return dataclasses.replace(
            self, images=self.images[:count], labels=self.labels[:count]
        )

    def select(self, mask: np.ndarray) -> "ImageData":
        """Returns copies of some images, in their order.

        Args:
            mask: bool, (N,): the images to return, at least one.

        Returns:
            An `ImageData` of these with the same class names.
        """
        return dataclasses.replace(
            self, images=self.images[mask], labels=self.labels[mask]
        )


def _check_array(name, array, dtype, shape, rank):
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"{name} must be a NumPy array; received {type(array).__name__}."
        )
    if array.dtype != dtype or array.ndim != rank:
        raise ValueError(
            f"{name} must be {np.dtype(dtype).name} of shape {shape}; received "
            f"{array.dtype} of shape {array.shape}."
        )


class TFSource(NamedTuple):
    """Functions with which tf.data reads the images; made before tracing.

    Attributes:
        keys: takes `None` or an int64 seed of shape (2,). Returns a finite
            `tf.data.Dataset` of one key per image: in evaluation order, or in
            the order given by the seed.
        read: takes a key. Returns an image file's bytes and its int32 label.
        upright: whether images are turned according to their EXIF orientation.
        pixel_limit: the largest number of pixels that TensorFlow decodes.
        read_pixels: takes a key, an int64 array. Returns the uint8 pixels of a
            file that is larger, or neither JPEG nor PNG. `None` if the images
            are not files, like `refuse`.
        refuse: takes a key. Raises the ValueError that says why TensorFlow
            cannot decode the image.
    """

    keys: Callable[["tf.Tensor | None"], "tf.data.Dataset"]
    read: Callable[["tf.Tensor"], tuple["tf.Tensor", "tf.Tensor"]]
    upright: bool = True
    pixel_limit: int | None = None
    read_pixels: Callable[[np.ndarray], np.ndarray] | None = None
    refuse: Callable[[np.ndarray], None] | None = None


class EncodedImages(abc.ABC):
    """Labelled images of any size, decoded when they are needed.

    `open_images` returns them. Unlike `ImageData`, which holds pixels, this
    holds only file names.

    Attributes:
        class_names: the name of each class; label `i` means `class_names[i]`.
    """

    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns the type and the numbers of images and classes."""
        return (
            f"<{type(self).__name__}: {len(self):,} images of "
            f"{self.classes:,} classes>"
        )

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of images."""

    @property
    @abc.abstractmethod
    def labels(self) -> np.ndarray:
        """int32, (N,), in the order of `evaluation_batches`."""

    @abc.abstractmethod
    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the images.

        Returns:
            Functions that `tensorflow_stream` combines.
        """
