"""Loss and error over a dataset; every image counts once."""

import math

import keras
import numpy as np

from keras_resnetv2._origin import (
    get_standardization,
    includes_preprocessing,
)
from keras_resnetv2.data import (
    EncodedImages,
    ImageData,
    Standardization,
)
from keras_resnetv2.models.network import replicas_in, strategy_of
from keras_resnetv2.training.images import images_to_test
from keras_resnetv2.training.workers import own_batches

# A batch has at most 500 images, or 64 of 224 x 224 pixels.
_IMAGES, _PIXELS = 500, 64 * 224 * 224


def predict_logits(
    model: keras.Model,
    data: ImageData | EncodedImages,
    standardization: Standardization,
    batch_size: int | None = None,
    resize: int | None = None,
) -> np.ndarray:
    """Returns the logits of all images, in order.

    Args:
        model: maps standardized images to logits, or pixels if it includes its
            preprocessing.
        data: N images.
        standardization: the training's standardization.
        batch_size: images per batch, over all replicas; rounded up to a
            multiple of their number. Defaults to 500; fewer if they are large.
        resize: for encoded images, see `evaluation_batches`.

    Returns:
        float32 (N, classes).
    """
    if includes_preprocessing(model):
        standardization = get_standardization(model)
    _, height, width, _ = model.input_shape
    if batch_size is None:
        batch_size = images_at_once(height, width)
    strategy = strategy_of(model)
    replicas = replicas_in(strategy)
    batch_size = replicas * math.ceil(min(batch_size, len(data)) / replicas)
    batches = own_batches(
        strategy,
        lambda part: images_to_test(
            data,
            standardization,
            batch_size=batch_size,
            image_size=height,
            resize=resize,
            part=part,
        ),
    )
    steps = math.ceil(len(data) / batch_size)
    return model.predict(batches, steps=steps, verbose=0)[: len(data)]


def images_at_once(height: int, width: int) -> int:
    """Returns the number of images in a batch for prediction.

    Args:
        height: height of the images in pixels.
        width: width of the images in pixels.
    """
    return max(1, min(_IMAGES, _PIXELS // (height * width)))


def loss_and_error(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns the mean cross entropy in nats, and the fraction of errors.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        {"loss": ..., "error": ...}.
    """
    logits = logits.astype(np.float64)
    top = logits.max(axis=1)
    with np.errstate(invalid="ignore"):  # infinite logits: the loss is NaN
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    rows = np.arange(len(labels))
    return {
        "loss": float(np.mean(log_sum - logits[rows, labels])),
        "error": float(np.mean(logits.argmax(axis=1) != labels)),
    }
