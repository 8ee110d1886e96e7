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
from keras_resnetv2.data.batches import EvaluationPlan, TrainingPlan
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.folder_images import FolderImages
from keras_resnetv2.data.image_folder import read_image

# Pillow lets other threads run while it decodes and scales.
_THREADS = min(8, os.cpu_count() or 1)
# Batches in the making beside the one that is used.
_AHEAD = 2


def training(plan: TrainingPlan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.training_batches`.

    Returns:
        A generator of float32 images and int32 labels.
    """
    if not isinstance(plan.data, FolderImages):
        return _tensorflow_stream().training(plan).as_numpy_iterator()
    rule = plan.augmentation.crop

    def draw(position):
        return numpy_stream.augmentation_rng(plan.seed, position).random(
            rule.draws
        )

    return _batches(plan, numpy_stream.choices(plan), rule, draw)


def evaluation(plan: EvaluationPlan) -> Iterator[tuple[np.ndarray]]:
    """Generates the plan's batches.

    Args:
        plan: From `batches.evaluation_batches`.

    Returns:
        A generator of float32 images alone in a tuple.
    """
    if not isinstance(plan.data, FolderImages):
        return _tensorflow_stream().evaluation(plan).as_numpy_iterator()
    batches = _batches(
        plan,
        numpy_stream.in_order(plan),
        crops.center(plan.resize),
        lambda position: None,
    )
    return ((images,) for images, _ in batches)


def _tensorflow_stream():
    from keras_resnetv2.data import encoded_tensorflow_stream

    return encoded_tensorflow_stream


def _batches(plan, choices, rule, draw):
    """Generates batches of the chosen images; `choices` has (step, places)."""

    def make_image(position, place):
        image = read_image(plan.data.paths[place])
        height, width = map(float, image.shape[:2])
        crop = rule.choose(np, draw(position), height, width, plan.image_size)
        return cut(image, crop, plan.image_size)

    def finish(chosen, images):
        images = np.stack([image.result() for image in images])
        return plan.standardization(images), plan.data.labels[chosen]

    pool = concurrent.futures.ThreadPoolExecutor(_THREADS)
    waiting = collections.deque()
    try:
        for step, chosen in choices:
            first = step * plan.batch_size
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
