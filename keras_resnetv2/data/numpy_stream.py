"""The batches of batches.py as generators that need NumPy alone."""

import functools
from collections.abc import Iterator

import numpy as np

from keras_resnetv2.data.batches import EvaluationPlan, TrainingPlan

# Keep the random numbers of an epoch's order and of a step's augmentation
# apart where the two have the same number.
_ORDER, _AUGMENTATION = 0, 1


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def augmentation_rng(seed: int, number: int) -> np.random.Generator:
    """Returns the random numbers that vary one batch, or one image.

    Args:
        seed: The stream's.
        number: Of the step, or of the position in the stream.

    Returns:
        A fresh generator.
    """
    return _rng(seed, _AUGMENTATION, number)


def choices(plan: TrainingPlan) -> Iterator[tuple[int, np.ndarray]]:
    """Generates which images each batch holds.

    Args:
        plan: From `batches.training_batches`.

    Yields:
        The step, and the places of its images: int64, (batch_size,).
    """
    count = len(plan.data)

    # A batch has images of two epochs at most.
    @functools.lru_cache(maxsize=2)
    def permutation(epoch):
        return _rng(plan.seed, _ORDER, epoch).permutation(count)

    for step in range(plan.first_step, plan.steps):
        first = step * plan.batch_size
        epoch, start = divmod(first, count)
        chosen = permutation(epoch)[start : start + plan.batch_size]
        missing = plan.batch_size - len(chosen)
        if missing:
            rest = permutation(epoch + 1)[:missing]
            chosen = np.concatenate([chosen, rest])
        yield step, chosen


def in_order(plan: EvaluationPlan) -> Iterator[tuple[int, np.ndarray]]:
    """Generates which images each batch of an evaluation holds.

    Args:
        plan: From `batches.evaluation_batches`.

    Yields:
        The step, and the places of its images: int64, (batch_size,).
    """
    for step in range(plan.steps):
        first = step * plan.batch_size
        yield step, np.arange(first, first + plan.batch_size) % len(plan.data)


def training(plan: TrainingPlan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.training_batches`.

    Yields:
        float32 images and int32 labels.
    """
    for step, chosen in choices(plan):
        images = plan.standardization(plan.data.images[chosen])
        rng = augmentation_rng(plan.seed, step)
        yield plan.augmentation.numpy(images, rng), plan.data.labels[chosen]


def evaluation(plan: EvaluationPlan) -> Iterator[tuple[np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.evaluation_batches`.

    Yields:
        float32 images alone in a tuple.
    """
    for _, chosen in in_order(plan):
        yield (plan.standardization(plan.data.images[chosen]),)
