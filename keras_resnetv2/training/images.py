"""The images of a training: held in memory, or decoded as they are needed."""

import os

import keras

from keras_resnetv2._checks import check_choice
from keras_resnetv2.data import (
    EncodedImages,
    ImageData,
    Standardization,
    evaluation_batches,
    hold_out,
    load_arrays,
    open_images,
    training_batches,
)
from keras_resnetv2.data.datasets import SPLITS
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.devices import has_accelerator
from keras_resnetv2.training.experiment import Experiment

# Of images in memory that are kept on the accelerator.
_DEVICE_BYTES = 2 * 1024**3
_SPLITS = (*SPLITS, "held_out")


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
        split: "train" (without what is held out), "held_out" or "test".
        data_dir: where TensorFlow Datasets keeps its data.
        dataset: replaces the experiment's; it is cut by the same rule.
        image_size: replaces the experiment's, in pixels.

    Raises:
        ValueError: for "held_out" where the experiment holds nothing out.
    """
    check_choice("split", split, _SPLITS)
    if split == "held_out" and experiment.held_out is None:
        raise ValueError(
            "This training holds no images out (held_out=None). Take the split "
            '"test" or "train", or train with held_out=0.1, say.'
        )
    if split == "test" or experiment.held_out is None:
        return _load_whole(experiment, split, data_dir, dataset, image_size)
    data = _load_whole(experiment, "train", data_dir, dataset, image_size)
    rest, held_out = hold_out(data, experiment.held_out)
    return {"train": rest, "held_out": held_out}[split]


def load_training(
    experiment: Experiment, data_dir: str | os.PathLike | None = None
) -> tuple[ImageData | EncodedImages, ImageData | EncodedImages]:
    """Loads or opens the images to train on, and those to test on meanwhile.

    Args:
        experiment: the settings.
        data_dir: where TensorFlow Datasets keeps its data.
    """
    data = _load_whole(experiment, "train", data_dir)
    if experiment.held_out is not None:
        return hold_out(data, experiment.held_out)
    return data, _load_whole(experiment, "test", data_dir)


def _load_whole(
    experiment, split, data_dir=None, dataset=None, image_size=None
):
    name = dataset or experiment.dataset
    if experiment.streams:
        return open_images(name, split, data_dir=data_dir)
    return load_arrays(
        name,
        split,
        data_dir=data_dir,
        image_size=image_size or experiment.image_size,
    )


def experiment_batches(
    experiment: Experiment,
    data: ImageData | EncodedImages,
    standardization: Standardization,
    *,
    first_step: int,
    steps: int,
):
    """The batches of a training, from a step on.

    Args:
        experiment: the settings.
        data: the images to train on.
        standardization: of them.
        first_step: number of steps done.
        steps: length of the training in steps.

    Returns:
        What `training_batches` does.
    """
    return training_batches(
        data,
        batch_size=experiment.images_per_step,
        standardization=standardization,
        augmentation=experiment.augmentation,
        image_size=experiment.stream_size,
        seed=experiment.seed,
        first_step=first_step,
        steps=steps,
        framework=framework(data),
    )


def images_to_test(
    data: ImageData | EncodedImages,
    standardization: Standardization,
    *,
    batch_size: int,
    image_size: int,
    resize: int | None = None,
):
    """The images of a test in batches, in order.

    Args:
        data: the images.
        standardization: of the training.
        batch_size: images a batch.
        image_size: of the network's input in pixels.
        resize: of encoded images, see `evaluation_batches`.

    Returns:
        What `evaluation_batches` does.
    """
    return evaluation_batches(
        data,
        batch_size=batch_size,
        standardization=standardization,
        image_size=None if isinstance(data, ImageData) else image_size,
        resize=resize,
        framework=framework(data),
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
