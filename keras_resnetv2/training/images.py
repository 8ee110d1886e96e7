"""The images of a training: held in memory, or decoded as they are needed."""

import os

import keras

from keras_resnetv2.data import (
    EncodedImages,
    ImageData,
    load_arrays,
    open_images,
)
from keras_resnetv2.training.determinism import has_accelerator
from keras_resnetv2.training.experiment import DataFacts, Experiment

# Of images in memory that are kept on the accelerator.
_DEVICE_BYTES = 2 * 1024**3


def load_split(
    experiment: Experiment,
    split: str,
    data_dir: str | os.PathLike | None = None,
    dataset: str | None = None,
    image_size: int | None = None,
) -> ImageData | EncodedImages:
    """Loads or opens one split, as the experiment's augmentation needs it.

    Args:
        experiment: the settings.
        split: "train" or "test".
        data_dir: where TensorFlow Datasets keeps its data.
        dataset: replaces the experiment's.
        image_size: replaces the experiment's, in pixels.
    """
    name = dataset or experiment.dataset
    if experiment.streams:
        return open_images(name, split, data_dir=data_dir)
    return load_arrays(
        name,
        split,
        data_dir=data_dir,
        image_size=image_size or experiment.image_size,
    )


def framework(data: ImageData | EncodedImages) -> str:
    """Which pipeline feeds Keras's backend: a name for `training_batches`."""
    if keras.backend.backend() == "tensorflow":
        return "tensorflow"
    small = isinstance(data, ImageData) and data.images.nbytes <= _DEVICE_BYTES
    return "device" if small and has_accelerator() else "numpy"


def check_same_data(
    experiment: Experiment, facts: DataFacts, data: ImageData | EncodedImages
) -> None:
    """Refuses to go on where number, size or classes of images are others.

    Args:
        experiment: the settings.
        facts: of the images that the training began with.
        data: the images that are there now.

    Raises:
        ValueError: if number, size or classes differ.
    """
    now = DataFacts.of(data, facts.standardization, experiment.stream_size)
    if now != facts:
        raise ValueError(
            "The training images are not those that this training began with: "
            f"{_describe(now)}, then {_describe(facts)}. Give the same data, "
            "or another --workdir."
        )


def _describe(facts):
    names = facts.class_names
    return (
        f"{facts.images} images of {facts.image_shape} in {len(names)} "
        f"classes ({', '.join(names[:5])}{', ...' if names[5:] else ''})"
    )
