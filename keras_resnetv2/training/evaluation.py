"""Loss and error over a data set, every image counted once."""

import math

import keras
import numpy as np

from keras_resnetv2.data import ImageData, Standardization, evaluation_batches
from keras_resnetv2.models.replicated_model import replicas_of

EVALUATION_BATCH_SIZE = 500


def framework() -> str:
    """Which of the two data pipelines Keras's backend takes."""
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return "tensorflow" if on_tensorflow else "numpy"


def predict_logits(
    model: keras.Model,
    data: ImageData,
    standardization: Standardization,
    batch_size: int = EVALUATION_BATCH_SIZE,
) -> np.ndarray:
    """Logits of all images, in order.

    Args:
        model: from standardised images to logits.
        data: N images.
        standardization: the training's.
        batch_size: images at a time, over all replicas; rounded up to a
            multiple of their number.

    Returns:
        float32 (N, classes).
    """
    replicas = replicas_of(model)
    batch_size = replicas * math.ceil(min(batch_size, len(data)) / replicas)
    batches = evaluation_batches(
        data,
        batch_size=batch_size,
        standardization=standardization,
        framework=framework(),
    )
    steps = math.ceil(len(data) / batch_size)
    return model.predict(batches, steps=steps, verbose=0)[: len(data)]


def loss_and_error(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean cross entropy, in nats, and the fraction of wrong classes.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        {"loss": ..., "error": ...}.
    """
    logits = logits.astype(np.float64)
    top = logits.max(axis=1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    rows = np.arange(len(labels))
    return {
        "loss": float(np.mean(log_sum - logits[rows, labels])),
        "error": float(np.mean(logits.argmax(axis=1) != labels)),
    }
