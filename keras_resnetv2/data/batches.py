"""Endless shuffled batches for training, ordered ones for evaluation.

Position `p = step * batch_size + i` of a training stream lies in epoch
`p // n` of `n` images. Every epoch is a fresh permutation, so every image
comes once an epoch, every batch is full, and a batch may cross into the next
epoch. All of it is a function of the seed and the step: a stream that begins
at a later step goes on exactly as the one that began at 0 would have.
"""

import dataclasses
import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from keras_resnetv2.data.augmentation import AUGMENTATIONS, Augmentation
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.standardization import (
    Standardization,
    get_standardization,
)

if TYPE_CHECKING:
    import tensorflow as tf

# Each has training(TrainingPlan) and evaluation(EvaluationPlan).
FRAMEWORKS = {
    "tensorflow": "keras_resnetv2.data.tensorflow_stream",
    "numpy": "keras_resnetv2.data.numpy_stream",
}


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """A checked training stream; `training_batches` says what each part is."""

    data: ImageData
    batch_size: int
    standardization: Standardization
    augmentation: Augmentation
    seed: int
    first_step: int
    steps: int


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """A checked evaluation stream; see `evaluation_batches`."""

    data: ImageData
    batch_size: int
    standardization: Standardization

    @property
    def steps(self) -> int:
        """How many full batches hold every image at least once."""
        return -(-len(self.data) // self.batch_size)


def training_batches(
    data: ImageData,
    *,
    batch_size: int,
    standardization: str | Standardization,
    augmentation: str = "crop_flip",
    seed: int = 0,
    first_step: int = 0,
    steps: int,
    framework: str = "tensorflow",
) -> "tf.data.Dataset | Iterator[tuple[np.ndarray, np.ndarray]]":
    """Streams the batches of steps `first_step` to `steps - 1`.

    Args:
        data: The training images.
        batch_size: Images a batch, on all replicas together.
        standardization: A `Standardization`, or a key of `STANDARDIZATIONS`.
        augmentation: A key of `AUGMENTATIONS`.
        seed: Decides order and augmentation, 0 or larger. The two frameworks
            draw different numbers from the same seed.
        first_step: Where to begin: the step a checkpoint was written at.
        steps: Where to end, counted from step 0.
        framework: "tensorflow" for a `tf.data.Dataset`, "numpy" for a
            generator that needs no TensorFlow.

    Returns:
        Batches of float32 images (batch_size, height, width, 3) and int32
        labels (batch_size,).

    Raises:
        ValueError: If the arguments do not fit each other or the data.
    """
    _check_batch_size(batch_size)
    if len(data) < batch_size:
        raise ValueError(
            f"The data has {len(data)} images, fewer than one batch of "
            f"{batch_size}. Give a batch_size of at most {len(data)}, or "
            f"more images."
        )
    if not 0 <= first_step <= steps:
        raise ValueError(
            f"Expected 0 <= first_step <= steps; got first_step={first_step} "
            f"and steps={steps}. steps counts from step 0, not from "
            f"first_step."
        )
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must lie in 0..2**63 - 1, got {seed}.")
    plan = TrainingPlan(
        data=data,
        batch_size=batch_size,
        standardization=_fitting_standardization(standardization, data),
        augmentation=_look_up("augmentation", augmentation, AUGMENTATIONS),
        seed=seed,
        first_step=first_step,
        steps=steps,
    )
    return _stream_module(framework).training(plan)


def evaluation_batches(
    data: ImageData,
    *,
    batch_size: int,
    standardization: str | Standardization,
    framework: str = "tensorflow",
) -> "tf.data.Dataset | Iterator[tuple[np.ndarray]]":
    """Streams all images in order, as `keras.Model.predict` takes them.

    Every batch is full: the last one is filled up with images from the
    beginning. Cut the predictions to `len(data)`.

    Args:
        data: The images.
        batch_size: Images a batch.
        standardization: A `Standardization`, or a key of `STANDARDIZATIONS`.
        framework: "tensorflow" for a `tf.data.Dataset`, "numpy" for a
            generator that needs no TensorFlow.

    Returns:
        Batches `(images,)`, Keras's form of input without labels: float32
        (batch_size, height, width, 3).

    Raises:
        ValueError: If the arguments do not fit each other or the data.
    """
    _check_batch_size(batch_size)
    plan = EvaluationPlan(
        data=data,
        batch_size=batch_size,
        standardization=_fitting_standardization(standardization, data),
    )
    return _stream_module(framework).evaluation(plan)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")


def _fitting_standardization(
    standardization: str | Standardization, data: ImageData
) -> Standardization:
    standardization = get_standardization(standardization)
    standardization.check_shape(data.image_shape)
    return standardization


def _stream_module(framework: str) -> ModuleType:
    return importlib.import_module(_look_up("framework", framework, FRAMEWORKS))


def _look_up(what, name, table):
    if name not in table:
        raise ValueError(
            f"Unknown {what} {name!r}; give one of {sorted(table)}."
        )
    return table[name]
