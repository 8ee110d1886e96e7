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


def training(plan: TrainingPlan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.training_batches`.

    Yields:
        float32 images and int32 labels.
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
        images = plan.standardization(plan.data.images[chosen])
        rng = _rng(plan.seed, _AUGMENTATION, step)
        yield plan.augmentation.numpy(images, rng), plan.data.labels[chosen]


def evaluation(plan: EvaluationPlan) -> Iterator[tuple[np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.evaluation_batches`.

    Yields:
        float32 images alone in a tuple.
    """
    for step in range(plan.steps):
        first = step * plan.batch_size
        chosen = np.arange(first, first + plan.batch_size) % len(plan.data)
        yield (plan.standardization(plan.data.images[chosen]),)
