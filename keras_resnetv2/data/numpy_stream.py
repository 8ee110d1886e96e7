"""The batches of batches.py as generators that need only NumPy and Pillow.

Pillow reads files in a few threads. TFDS's encoded images are read by tf.data.
"""

import collections
import concurrent.futures
import functools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2.data import crops
from keras_resnetv2.data.batches import EvaluationStream, TrainingStream
from keras_resnetv2.data.crop_pixels import cut_by_rule
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.image_folder import FolderImages

# Keep the random numbers of an epoch's order apart from those of the
# augmentation of a step, or of a file's position, with the same number.
_ORDER, _AUGMENTATION = 0, 1
# Pillow lets other threads run while it decodes and scales.
_THREADS = min(8, os.cpu_count() or 1)
# Batches prepared ahead of the one in use.
_AHEAD = 2


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw(stream: TrainingStream, step: int) -> Any:
    """Draws the augmentation of a step's batch.

    Args:
        stream: from `batches.training_batches`.
        step: the step.

    Returns:
        The draws for the augmentation's `apply`.
    """
    return stream.augmentation.draw(
        _rng(stream.seed, _AUGMENTATION, step),
        stream.batch_size,
        stream.data.image_shape,
    )


def choices(stream: TrainingStream) -> Iterator[tuple[int, np.ndarray]]:
    """Generates the indices of each batch's images.

    Args:
        stream: from `batches.training_batches`.

    Yields:
        The step, and the indices of its images: int64, (batch_size,).
    """
    count = len(stream.data)

    # A batch has images of at most two epochs.
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
    """Generates the indices of each evaluation batch's images.

    Args:
        stream: from `batches.evaluation_batches`.

    Yields:
        The step, and the indices of its images: int64, (batch_size,).
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

    Returns:
        A generator of float32 images and int32 labels.
    """
    if isinstance(stream.data, ImageData):
        return _from_memory(stream)
    if not isinstance(stream.data, FolderImages):
        return _tensorflow_stream().training(stream).as_numpy_iterator()
    rule = stream.augmentation.crop

    def draw(position):
        return _rng(stream.seed, _AUGMENTATION, position).random(rule.draws)

    return _from_files(stream, choices(stream), rule, draw)


def evaluation(stream: EvaluationStream) -> Iterator[tuple[np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Returns:
        A generator of tuples of one element, the float32 images.
    """
    if isinstance(stream.data, ImageData):
        return (
            (stream.standardization(stream.data.images[chosen]),)
            for _, chosen in in_order(stream)
        )
    if not isinstance(stream.data, FolderImages):
        return _tensorflow_stream().evaluation(stream).as_numpy_iterator()
    batches = _from_files(
        stream,
        in_order(stream),
        crops.center(stream.resize),
        lambda position: None,
    )
    return ((images,) for images, _ in batches)


def _tensorflow_stream():
    from keras_resnetv2.data import tensorflow_stream

    return tensorflow_stream


def _from_memory(stream):
    for step, chosen in choices(stream):
        images = stream.standardization(stream.data.images[chosen])
        draws = draw(stream, step)
        images = stream.augmentation.apply(np, images, draws)
        yield images, stream.data.labels[chosen]


def _from_files(stream, choices, rule, draw):
    """Generates batches of the chosen images; `choices`: (step, indices)."""

    def make_image(position, place):
        image = stream.data.read(place)
        return cut_by_rule(image, rule, draw(position), stream.image_size)

    def finish(chosen, images):
        images = np.stack([image.result() for image in images])
        return stream.standardization(images), stream.data.labels[chosen]

    pool = concurrent.futures.ThreadPoolExecutor(_THREADS)
    waiting = collections.deque()
    try:
        for step, chosen in choices:
            first = step * stream.batch_size
            images = [
                pool.submit(make_image, first + i, place)
                for i, place in enumerate(chosen)
            ]
            waiting.append((chosen, images))
            if len(waiting) > _AHEAD:
                yield finish(*waiting.popleft())
        while waiting:
            yield finish(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
