"""The batches of batches.py as generators that need NumPy alone."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2.data.batches import EvaluationStream, TrainingStream

# Keep the random numbers of an epoch's order and of a step's augmentation
# apart where the two have the same number.
_ORDER, _AUGMENTATION = 0, 1


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def augmentation_rng(seed: int, number: int) -> np.random.Generator:
    """Returns the random numbers that vary one batch, or one image.

    Args:
        seed: the stream's.
        number: of the step, or of the position in the stream.

    Returns:
        A fresh generator.
    """
    return _rng(seed, _AUGMENTATION, number)


def draw(stream: TrainingStream, step: int) -> Any:
    """Draws what varies the images of a step's batch.

    Args:
        stream: from `batches.training_batches`.
        step: which.

    Returns:
        What the augmentation's `apply` takes.
    """
    return stream.augmentation.draw(
        augmentation_rng(stream.seed, step),
        stream.batch_size,
        stream.data.image_shape,
    )


def choices(stream: TrainingStream) -> Iterator[tuple[int, np.ndarray]]:
    """Generates which images each batch holds.

    Args:
        stream: from `batches.training_batches`.

    Yields:
        The step, and the places of its images: int64, (batch_size,).
    """
    count = len(stream.data)

    # A batch has images of two epochs at most.
    @functools.lru_cache(maxsize=2)
    def permutation(epoch):
        return _rng(stream.seed, _ORDER, epoch).permutation(count)

    for step in range(stream.first_step, stream.steps):
        first = step * stream.batch_size
        epoch, start = divmod(first, count)
        chosen = permutation(epoch)[start : start + stream.batch_size]
        missing = stream.batch_size - len(chosen)
        if missing:
            rest = permutation(epoch + 1)[:missing]
            chosen = np.concatenate([chosen, rest])
        yield step, chosen


def in_order(stream: EvaluationStream) -> Iterator[tuple[int, np.ndarray]]:
    """Generates which images each batch of an evaluation holds.

    Args:
        stream: from `batches.evaluation_batches`.

    Yields:
        The step, and the places of its images: int64, (batch_size,).
    """
    for step in range(stream.steps):
        first = step * stream.batch_size
        yield (
            step,
            np.arange(first, first + stream.batch_size) % len(stream.data),
        )


def training(stream: TrainingStream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.training_batches`.

    Yields:
        float32 images and int32 labels.
    """
    for step, chosen in choices(stream):
        images = stream.standardization(stream.data.images[chosen])
        draws = draw(stream, step)
        images = stream.augmentation.apply(np, images, draws)
        yield images, stream.data.labels[chosen]


def evaluation(stream: EvaluationStream) -> Iterator[tuple[np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Yields:
        float32 images alone in a tuple.
    """
    for _, chosen in in_order(stream):
        yield (stream.standardization(stream.data.images[chosen]),)
