"""Turns a network's outputs into class names and scores."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2._origin import CLASS_NAMES, class_names_of, network_of

if TYPE_CHECKING:
    import keras

# Probabilities in half precision exceed 1 by less than this.
_OFF_ONE = 0.02


def decode_predictions(
    predictions: np.ndarray,
    top: int = 5,
    class_names: "keras.Model | str | Sequence[str] | None" = None,
) -> list[list[tuple[int, str, float]]]:
    """Returns the best classes of each image with their scores.

    Args:
        predictions: (N, classes), the output of `model.predict`. If a row has
            floats below 0 or above 1, it counts as logits, and the scores are
            its softmax.
        top: number of classes to return, or all if there are fewer.
        class_names: the network, if it has published weights or was trained
            by this package; or a key of `CLASS_NAMES`, or the names in the
            order of the labels.

    Returns:
        For each image [(label, class name, score), ...], best first. At equal
        scores, the lower label comes first.

    Raises:
        ValueError: if the predictions are not numbers, are NaN or infinite, or
            have a wrong shape or number of classes; if the names are missing;
            or if `top` is less than 1.

    Reference:
        keras.applications.imagenet_utils.decode_predictions.

    Example:
        >>> decode_predictions([[0.1, 0.7, 0.2]], 2, ["cat", "dog", "frog"])
        [[(1, 'dog', 0.7), (2, 'frog', 0.2)]]
    """
    names = _names(class_names)
    scores, are_floats = _numbers(predictions)
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ValueError(
            f"Expected predictions of shape (N, {len(names)}), one column per "
            f"class; received {scores.shape}. Give a batch, even of one image, "
            "from a network with its classifier. For other classes, give their "
            "class_names=."
        )
    check_count("top", top)
    if are_floats:
        scores = _probabilities(scores)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [(int(label), names[label], float(row[label])) for label in labels]
        for row, labels in zip(scores, best)
    ]


def _numbers(predictions):
    try:
        predictions = np.asarray(predictions)
        # The smallest integer of a quantized network cannot be negated.
        scores = predictions.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"predictions must be an array of numbers ({error}). Give the "
            "output of model.predict."
        ) from error
    return scores, predictions.dtype.kind not in "biu"


def _probabilities(scores):
    if not np.isfinite(scores.max(axis=1)).all():
        raise ValueError(
            "predictions contain NaN or infinity, so classes cannot be ranked. "
            "Check the images and the weights that they come from."
        )
    is_outside = (scores < 0) | (scores > 1 + _OFF_ONE)
    are_logits = is_outside.any(axis=1, keepdims=True)
    return np.where(are_logits, softmax(scores), scores)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turns logits into probabilities.

    Args:
        logits: (N, classes).

    Returns:
        The same shape and type.
    """
    with np.errstate(invalid="ignore"):  # infinite logits: NaN
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _names(class_names):
    if class_names is None:
        raise ValueError(
            "decode_predictions needs the names of the classes. Give the "
            "network: decode_predictions(predictions, class_names=model). Or "
            f"give one of {sorted(CLASS_NAMES)}, or the names in the order of "
            "the labels."
        )
    class_names = network_of(class_names)
    if hasattr(class_names, "layers"):
        return class_names_of(class_names)
    if isinstance(class_names, Iterable) and not isinstance(class_names, str):
        return tuple(class_names)
    if class_names not in CLASS_NAMES:
        raise ValueError(
            f"Unknown class_names {class_names!r}; give one of "
            f"{sorted(CLASS_NAMES)}, or the names in the order of the labels."
        )
    return CLASS_NAMES[class_names]
