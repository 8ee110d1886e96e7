"""The batches of batches.py as generators that need only NumPy and Pillow.

Pillow reads files in a few threads. TFDS's encoded images are read by tf.data.
"""

import collections
import concurrent.futures
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2._processes import available_cores
from keras_resnetv2.data import crops, mixing, rand_augment
from keras_resnetv2.data.batches import (
    EvaluationStream,
    TrainingStream,
    places_of,
)
from keras_resnetv2.data.crop_pixels import cut_by_rule
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.image_folder import FolderImages

# A part of the seed for each use of random numbers: the order of an epoch, the
# augmentation (of a step, or of the file at a position), mixing, RandAugment.
_ORDER, _AUGMENTATION, _MIXING, _RAND_AUGMENT = range(4)
# Pillow lets other threads run while it decodes and scales.
_THREADS = min(8, available_cores())
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
    draws = stream.augmentation.draw(
        _rng(stream.seed, _AUGMENTATION, step),
        stream.batch_size,
        stream.data.image_shape,
    )
    return _ours(stream, draws)


def draw_mixing(stream: TrainingStream, step: int) -> mixing.MixDraws | tuple:
    """Draws the mixing of a step's batch; () if it is not mixed.

    Args:
        stream: from `batches.training_batches`.
        step: the step.
    """
    if not stream.mixing:
        return ()
    rng = _rng(stream.seed, _MIXING, step)
    return _ours(stream, stream.mixing.draw(rng, stream.batch_size))


def draw_rand_augment(
    stream: TrainingStream, step: int
) -> rand_augment.RandDraws | tuple:
    """Draws the operations on a step's batch; () if there are none.

    Args:
        stream: from `batches.training_batches`.
        step: the step.
    """
    if not stream.rand_augment:
        return ()
    rng = _rng(stream.seed, _RAND_AUGMENT, step)
    return _ours(stream, rand_augment.draw(rng, stream.batch_size), axis=1)


def _ours(stream, draws, axis=0):
    """Returns the draws of the images to make."""
    if stream.part is None:
        return draws
    ours = places_of(stream)
    return type(draws)(*(np.take(draw, ours, axis) for draw in draws))


def choices(stream: TrainingStream) -> Iterator[tuple[int, np.ndarray]]:
    """Generates the indices of each batch's images.

    Args:
        stream: from `batches.training_batches`.

    Yields:
        The step, and the indices of the images to make: int64, (N,).
    """
    count = len(stream.data)

    # A batch has images of at most two epochs.
    @functools.lru_cache(maxsize=2)
    def permutation(epoch):
        return _rng(stream.seed, _ORDER, epoch).permutation(count)

    ours = places_of(stream)
    for step in range(stream.first_step, stream.steps):
        first = step * stream.batch_size
        epoch, start = divmod(first, count)
        chosen = permutation(epoch)[start : start + stream.batch_size]
        missing = stream.batch_size - len(chosen)
        if missing:
            rest = permutation(epoch + 1)[:missing]
            chosen = np.concatenate([chosen, rest])
        yield step, chosen[ours]


def in_order(stream: EvaluationStream) -> Iterator[tuple[int, np.ndarray]]:
    """Generates the indices of each evaluation batch's images.

    Args:
        stream: from `batches.evaluation_batches`.

    Yields:
        The step, and the indices of the images to make: int64, (N,).
    """
    ours = places_of(stream)
    for step in range(stream.steps):
        yield step, (step * stream.batch_size + ours) % len(stream.data)


def training(stream: TrainingStream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.training_batches`.

    Returns:
        A generator of float32 images and their labels.
    """
    is_in_memory = isinstance(stream.data, ImageData)
    if not is_in_memory and not isinstance(stream.data, FolderImages):
        return _tensorflow_stream().training(stream).as_numpy_iterator()
    make = _from_memory if is_in_memory else _cut_at_random
    return _mixed(stream, make(stream)) if stream.mixing else make(stream)


def _standardized(stream, step, pixels):
    if stream.rand_augment:
        draws = draw_rand_augment(stream, step)
        pixels = rand_augment.apply(np, pixels, stream.rand_augment, draws)
    return stream.standardization(pixels)


def _mixed(stream, batches):
    for step, (images, labels) in enumerate(batches, stream.first_step):
        draws = draw_mixing(stream, step)
        yield mixing.apply(np, images, labels, stream.data.classes, draws)


def _cut_at_random(stream):
    rule = stream.augmentation.crop

    def draw(position):
        return _rng(stream.seed, _AUGMENTATION, position).random(rule.draws)

    def standardize(step, pixels):
        return _standardized(stream, step, pixels)

    return _from_files(stream, choices(stream), rule, draw, standardize)


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
        lambda step, pixels: stream.standardization(pixels),
    )
    return ((images,) for images, _ in batches)


def _tensorflow_stream():
    from keras_resnetv2.data import tensorflow_stream

    return tensorflow_stream


def _from_memory(stream):
    for step, chosen in choices(stream):
        images = _standardized(stream, step, stream.data.images[chosen])
        draws = draw(stream, step)
        images = stream.augmentation.apply(np, images, draws)
        yield images, stream.data.labels[chosen]


def _from_files(stream, choices, rule, draw, standardize):
    """Generates batches of the chosen images; `choices`: (step, indices)."""

    def make_image(position, place):
        image = stream.data.read(place)
        return cut_by_rule(image, rule, draw(position), stream.image_size)

    def finish(step, chosen, images):
        images = np.stack([image.result() for image in images])
        return standardize(step, images), stream.data.labels[chosen]

    ours = places_of(stream)
    pool = concurrent.futures.ThreadPoolExecutor(_THREADS)
    waiting = collections.deque()
    try:
        for step, chosen in choices:
            first = step * stream.batch_size
            images = [
                pool.submit(make_image, first + i, place)
                for i, place in zip(ours, chosen)
            ]
            waiting.append((step, chosen, images))
            if len(waiting) > _AHEAD:
                yield finish(*waiting.popleft())
        while waiting:
            yield finish(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
