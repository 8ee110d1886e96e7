"""The batches of batches.py as generators, of encoded images.

Files are read by Pillow in a few threads and need no TensorFlow; what TFDS
holds is read by tf.data.
"""

import collections
import concurrent.futures
import os
from collections.abc import Iterator

import numpy as np

from keras_resnetv2.data import crops, numpy_stream
from keras_resnetv2.data.batches import EvaluationStream, TrainingStream
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.image_folder import FolderImages, read_image

# Pillow lets other threads run while it decodes and scales.
_THREADS = min(8, os.cpu_count() or 1)
# Batches in the making beside the one that is used.
_AHEAD = 2


def training(stream: TrainingStream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.training_batches`.

    Returns:
        A generator of float32 images and int32 labels.
    """
    if not isinstance(stream.data, FolderImages):
        return _tensorflow_stream().training(stream).as_numpy_iterator()
    rule = stream.augmentation.crop

    def draw(position):
        return numpy_stream.augmentation_rng(stream.seed, position).random(
            rule.draws
        )

    return _batches(stream, numpy_stream.choices(stream), rule, draw)


def evaluation(stream: EvaluationStream) -> Iterator[tuple[np.ndarray]]:
    """Makes the stream's batches.

    Args:
        stream: from `batches.evaluation_batches`.

    Returns:
        A generator of float32 images alone in a tuple.
    """
    if not isinstance(stream.data, FolderImages):
        return _tensorflow_stream().evaluation(stream).as_numpy_iterator()
    batches = _batches(
        stream,
        numpy_stream.in_order(stream),
        crops.center(stream.resize),
        lambda position: None,
    )
    return ((images,) for images, _ in batches)


def _tensorflow_stream():
    from keras_resnetv2.data import encoded_tensorflow_stream

    return encoded_tensorflow_stream


def _batches(stream, choices, rule, draw):
    """Generates batches of the chosen images; `choices` has (step, places)."""

    def make_image(position, place):
        image = read_image(stream.data.paths[place])
        height, width = map(float, image.shape[:2])
        crop = rule.choose(np, draw(position), height, width, stream.image_size)
        return cut(image, crop, stream.image_size)

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
