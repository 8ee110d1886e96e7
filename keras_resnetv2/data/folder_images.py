"""An image folder as encoded images."""

import itertools
import os

import numpy as np

from keras_resnetv2.data.encoded_images import EncodedImages, TFSource
from keras_resnetv2.data.image_folder import Listing


class FolderImages(EncodedImages):
    """Images of a folder of image files, one subfolder a class.

    Args:
        listing: The files; `image_folder.list_images` lists a split.

    Attributes:
        paths: The files, in evaluation order.
    """

    def __init__(self, listing: Listing):
        self.paths, self._labels, self.class_names = listing

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.paths)

    @property
    def labels(self) -> np.ndarray:
        """int32, (N,): in the order of `paths`."""
        return self._labels

    def select(self, mask: np.ndarray) -> "FolderImages":
        """Returns some of the images, in their order.

        Args:
            mask: bool, (N,): which.

        Returns:
            These, with the same class names.
        """
        paths = list(itertools.compress(self.paths, mask))
        return FolderImages(Listing(paths, self.labels[mask], self.class_names))

    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the files: a key is a place in `paths`.

        Returns:
            Functions over tensors in host memory.
        """
        import tensorflow as tf

        from keras_resnetv2.data import tensorflow_stream

        count = len(self)
        # Names that are no UTF-8 are passed on as they are.
        paths = tensorflow_stream.to_host([os.fsencode(p) for p in self.paths])
        labels = tensorflow_stream.to_host(self.labels)

        def keys(seed):
            if seed is None:
                return tf.data.Dataset.range(count)
            order = tensorflow_stream.permutation(count, seed)
            return tf.data.Dataset.from_tensor_slices(tf.cast(order, tf.int64))

        def name(key):
            return tf.gather(paths, key)

        def read(key):
            return tf.io.read_file(name(key)), tf.gather(labels, key)

        return TFSource(keys, read, name)
