"""The images of a training: held in memory, or decoded when needed."""

import os

import keras

from keras_resnetv2._checks import check_choice
from keras_resnetv2._text import images_found
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
from keras_resnetv2.data.batches import Part
from keras_resnetv2.data.datasets import IN_MEMORY, SPLITS
from keras_resnetv2.data.image_folder import RULE
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.devices import device, has_accelerator
from keras_resnetv2.training.experiment import Experiment

# Larger datasets are not kept on the accelerator.
_DEVICE_BYTES = 2 * 1024**3
_SPLITS = (*SPLITS, "held_out")


def load_split(
    experiment: Experiment,
    split: str,
    data_dir: str | os.PathLike | None = None,
    dataset: str | None = None,
    image_size: int | None = None,
    folder_rule: int = RULE,
) -> ImageData | EncodedImages:
    """Loads one split, or opens it if the images are streamed.

    Args:
        experiment: the settings.
        split: "train" (without the held-out images), "held_out" or "test".
        data_dir: where TensorFlow Datasets keeps its data.
        dataset: replaces the experiment's; it is split by the same rule.
        image_size: replaces the experiment's, in pixels.
        folder_rule: the training's rule, see `load_arrays`.

    Raises:
        ValueError: for "held_out" if the experiment holds no images out.
    """
    check_choice("split", split, _SPLITS)
    if split == "held_out" and experiment.held_out is None:
        raise ValueError(
            "This training holds no images out (held_out=None). Use the split "
            '"test" or "train", or train with held_out, for instance 0.1.'
        )
    whole = _load_whole(
        experiment,
        "test" if split == "test" else "train",
        data_dir=data_dir,
        dataset=dataset,
        image_size=image_size,
        folder_rule=folder_rule,
    )
    if split == "test" or experiment.held_out is None:
        return whole
    rest, held_out = hold_out(whole, experiment.held_out)
    return {"train": rest, "held_out": held_out}[split]


def load_for(
    network: keras.Model,
    dataset: str | None,
    split: str,
    data_dir: str | os.PathLike | None = None,
) -> ImageData | EncodedImages:
    """Loads one split of a dataset for a network, or opens its image files.

    Args:
        network: takes square images of a fixed size.
        dataset: see `load_arrays`.
        split: "train" or "test".
        data_dir: where TensorFlow Datasets keeps its data.

    Raises:
        ValueError: if there is no such dataset or split.
    """
    if dataset is None:
        raise ValueError(
            "A network comes without images; received dataset=None. Give a "
            'folder with one directory per class, or a name such as "cifar10".'
        )
    if split == "held_out":
        raise ValueError(
            "Only a training holds images out; received a network and "
            f'split={split!r}. Use the split "test" or "train", or give the '
            "work directory of the network's training."
        )
    if dataset in IN_MEMORY:
        return load_arrays(dataset, split, image_size=side_of(network))
    return open_images(dataset, split, data_dir=data_dir)


def side_of(network: keras.Model) -> int:
    """Returns the side of a network's input images in pixels.

    Raises:
        ValueError: if they are not square, or of any size.
    """
    shape = network.input_shape
    if len(shape) != 4 or shape[1] is None or shape[1] != shape[2]:
        raise ValueError(
            f"The network {network.name!r} takes images of shape {shape}, but "
            "square images of a fixed size are needed. Build the network with "
            "such an input_shape, for instance (224, 224, 3)."
        )
    return shape[1]


def load_training(
    experiment: Experiment,
    data_dir: str | os.PathLike | None = None,
    folder_rule: int = RULE,
) -> tuple[ImageData | EncodedImages, ImageData | EncodedImages]:
    """Loads or opens the images to train on, and those to test on.

    Args:
        experiment: the settings.
        data_dir: where TensorFlow Datasets keeps its data.
        folder_rule: see `load_arrays`.

    Raises:
        ValueError: if there is only one class.
    """
    options = {"data_dir": data_dir, "folder_rule": folder_rule}
    data = _load_whole(experiment, "train", **options)
    if data.classes == 1:
        raise ValueError(
            f"{experiment.dataset} has only one class, "
            f"{data.class_names[0]!r}: there is nothing to learn. Give at "
            "least two classes, each in its own folder."
        )
    if experiment.held_out is not None:
        return hold_out(data, experiment.held_out)
    return data, _load_whole(experiment, "test", **options)


def _load_whole(experiment, split, *, dataset=None, image_size=None, **options):
    name = dataset or experiment.dataset
    options["pixel_limit"] = experiment.pixel_limit
    if experiment.is_encoded:
        return open_images(name, split, **options)
    size = image_size or experiment.image_size
    return load_arrays(name, split, image_size=size, **options)


def found(
    parts: dict[str, ImageData | EncodedImages],
    name: str,
    model: keras.Model,
    steps: int | None = None,
) -> str:
    """Describes images, network and device, for a command to print.

    Args:
        parts: use, such as "to train on" -> images.
        name: name of the network.
        model: the network.
        steps: number of training steps, if it is trained.
    """
    classes = max(part.classes for part in parts.values())
    counts = {what: len(part) for what, part in parts.items()}
    training = f", {steps:,} steps" if steps else ""
    return (
        f"{images_found(classes, counts)}\n"
        f"Network: {name}, {model.count_params():,} parameters{training}, on "
        f"{device()}."
    )


def check_image_files(experiment: Experiment, folder_rule: int) -> None:
    """Reads every image file of a folder, before a long training.

    Args:
        experiment: the settings.
        folder_rule: see `load_arrays`.

    Raises:
        ValueError: if files cannot be read; names them all, with the reasons.
    """
    if not experiment.is_folder:
        raise ValueError(
            "check_images=True needs a folder of images; received "
            f"dataset={experiment.dataset!r}."
        )
    splits = ("train",) if experiment.held_out is not None else SPLITS
    errors = [
        error
        for split in splits
        for error in open_images(
            experiment.dataset,
            split,
            pixel_limit=experiment.pixel_limit,
            folder_rule=folder_rule,
        ).unreadable()
    ]
    if errors:
        listed = "\n".join(f"- {error}" for error in errors)
        raise ValueError(f"{len(errors):,} files cannot be used:\n{listed}")


def experiment_batches(
    experiment: Experiment,
    data: ImageData | EncodedImages,
    standardization: Standardization,
    *,
    first_step: int,
    steps: int,
    part: Part | None = None,
):
    """Returns the batches of a training, from a step on.

    Args:
        experiment: the settings.
        data: the images to train on.
        standardization: their standardization.
        first_step: number of steps done.
        steps: length of the training in steps.
        part: see `training_batches`.

    Returns:
        The result of `training_batches`.
    """
    return training_batches(
        data,
        batch_size=experiment.images_per_step,
        standardization=standardization,
        augmentation=experiment.augmentation,
        rand_augment=experiment.rand_augment,
        mixup=experiment.mixup,
        cutmix=experiment.cutmix,
        image_size=experiment.encoded_size,
        seed=experiment.seed,
        first_step=first_step,
        steps=steps,
        framework=framework(data),
        part=part,
    )


def images_to_test(
    data: ImageData | EncodedImages,
    standardization: Standardization,
    *,
    batch_size: int,
    image_size: int,
    resize: int | None = None,
    part: Part | None = None,
):
    """Returns the images of a test in batches, in order.

    Args:
        data: the images.
        standardization: the training's standardization.
        batch_size: images per batch.
        image_size: side of the network's input in pixels.
        resize: for encoded images, see `evaluation_batches`.
        part: see `training_batches`.

    Returns:
        The result of `evaluation_batches`.
    """
    return evaluation_batches(
        data,
        batch_size=batch_size,
        standardization=standardization,
        image_size=None if isinstance(data, ImageData) else image_size,
        resize=resize,
        framework=framework(data),
        part=part,
    )


def framework(data: ImageData | EncodedImages) -> str:
    """Names the pipeline for Keras's backend, for `training_batches`."""
    if keras.backend.backend() == "tensorflow":
        return "tensorflow"
    small = isinstance(data, ImageData) and data.images.nbytes <= _DEVICE_BYTES
    return "device" if small and has_accelerator() else "numpy"


def check_same_data(
    experiment: Experiment, facts: DataFacts, data: ImageData | EncodedImages
) -> None:
    """Checks that a resumed training has the same images.

    Args:
        experiment: the settings.
        facts: facts of the images when the training began.
        data: the images now.

    Raises:
        ValueError: if number, size or classes differ.
    """
    now = DataFacts.of(
        data, facts.standardization, experiment.encoded_size, facts.folder_rule
    )
    if now != facts:
        raise ValueError(
            "The training images have changed since this training began: now "
            f"{_describe(now)}, then {_describe(facts)}. Give the same data, "
            "or another --workdir."
        )


def _describe(facts):
    names = facts.class_names
    return (
        f"{facts.images} images of {facts.image_shape} in {len(names)} "
        f"classes ({', '.join(names[:5])}{', ...' if names[5:] else ''})"
    )
