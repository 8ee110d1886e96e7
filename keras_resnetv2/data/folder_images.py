"""An image folder as encoded images."""

import os

import numpy as np

from keras_resnetv2.data.encoded_images import EncodedImages, TFSource
from keras_resnetv2.data.image_folder import list_images


class FolderImages(EncodedImages):
    """One split of a folder of image files, one subfolder a class.

    Args:
        root: The folder; `image_folder.list_images` says how it is laid out.
        split: "train" or "test".

    Attributes:
        paths: The files, in evaluation order.

    Raises:
        FileNotFoundError: If the split has no folder, or no images.
        ValueError: If it has classes that the training images lack.
    """

    def __init__(self, root: str | os.PathLike[str], split: str):
        self.paths, self._labels, self.class_names = list_images(root, split)

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.paths)

    @property
    def labels(self) -> np.ndarray:
        """int32, (N,): in the order of `paths`."""
        return self._labels

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
