"""A dataset of TensorFlow Datasets (TFDS) as arrays."""

import os

import numpy as np

from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.optional_imports import import_tfds
from keras_resnetv2.data.resizing import ImageCollector, check_memory
from keras_resnetv2.data.tfds_builders import find_split

_BATCH = 1024


def load(
    name: str,
    split: str,
    *,
    image_size: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> ImageData:
    """Reads one split of a dataset of labelled images.

    Args:
        name: TFDS's name of it, such as "cifar100" or "oxford_flowers102".
        split: "train" or "test"; a dataset whose "test" is missing or has no
            labels gives its "validation".
        image_size: side of the squares all images are made; `None` keeps
            them as they are, and then they must be of one size.
        data_dir: TFDS's folder of datasets; `None` means TFDS's own default.
        download: whether to download and prepare a dataset that is not there.

    Returns:
        The images in TFDS's order, always the same.

    Raises:
        FileNotFoundError: if it is not prepared and cannot be.
        ImportError: if TFDS is not installed.
        UnknownDatasetError: if TFDS has no dataset of that name.
        ValueError: if it is not one of labelled images, or they differ in
            size or do not fit into memory.
    """
    tfds = import_tfds()
    from keras_resnetv2.data import tensorflow_stream

    found = find_split(name, split, data_dir, download)
    shape = found.builder.info.features[found.image_key].shape
    dataset = tensorflow_stream.without_autotuning(
        found.builder.as_dataset(
            split=found.name, shuffle_files=False, as_supervised=True
        )
    )
    keep = image_size is None or shape[:2] == (image_size, image_size)
    if None not in shape and keep:
        read = _read_batches(tfds, dataset, found.count, shape)
    else:
        read = _read_one_by_one(tfds, dataset, found.count, image_size)
    return ImageData(*read, class_names=found.class_names)


def _to_rgb(images: np.ndarray) -> np.ndarray:
    """Gives grey images three equal channels; leaves others alone."""
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return images


def _read_batches(tfds, dataset, count, shape):
    """Reads images of one size, decoded in parallel a batch at a time."""
    check_memory(count, (*shape[:2], 3))
    images = np.empty((count, *shape[:2], 3), np.uint8)
    labels = np.empty(count, np.int32)
    start = 0
    for some, their_labels in tfds.as_numpy(dataset.batch(_BATCH)):
        end = start + len(some)
        images[start:end] = _to_rgb(some)
        labels[start:end] = their_labels
        start = end
    return images, labels


def _read_one_by_one(tfds, dataset, count, image_size):
    """Reads images of any size."""
    collector = ImageCollector(count, image_size)
    labels = []
    for image, label in tfds.as_numpy(dataset):
        collector.add(_to_rgb(image))
        labels.append(label)
    return collector.images, np.array(labels, np.int32)
