"""Labelled images that stay encoded until a batch needs them."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


class TFSource(NamedTuple):
    """How tf.data reads the images; made before any function is traced.

    Attributes:
        keys: from `None`, or an int64 seed of shape (2,), to a finite
            `tf.data.Dataset` of one key an image: in evaluation order, or in
            the order of that seed.
        read: from a key to an image file's bytes and its int32 label.
        name: from a key to the file's name, where images are files.
    """

    keys: Callable[["tf.Tensor | None"], "tf.data.Dataset"]
    read: Callable[["tf.Tensor"], tuple["tf.Tensor", "tf.Tensor"]]
    name: Callable[["tf.Tensor"], "tf.Tensor"] | None = None


class EncodedImages(abc.ABC):
    """Labelled images of any sizes, decoded as they are needed.

    `open_images` makes them. Beside `ImageData`, which holds pixels, this
    holds no more than names of files.

    Attributes:
        class_names: the name of each class; label `i` means `class_names[i]`.
    """

    class_names: tuple[str, ...]

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
        """int32, (N,): in the order of `evaluation_batches`."""

    @abc.abstractmethod
    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the images.

        Returns:
            Functions that `encoded_tensorflow_stream` puts together.
        """
