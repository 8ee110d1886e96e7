"""A network's answers in words."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2._origin import CLASS_NAMES, class_names_of, network_of

if TYPE_CHECKING:
    import keras

# Probabilities of half precision are above 1 by less.
_OFF_ONE = 0.02


def decode_predictions(
    predictions: np.ndarray,
    top: int = 5,
    class_names: "keras.Model | str | Sequence[str] | None" = None,
) -> list[list[tuple[int, str, float]]]:
    """Names the likeliest classes of every image.

    Args:
        predictions: (N, classes), as `model.predict` gives them. A row of
            floats below 0 or above 1 is taken for logits, and its softmax for
            the scores.
        top: how many to name; all, where there are fewer.
        class_names: the network, if it has published weights or was trained
            by this package; or a key of `CLASS_NAMES`, or the names in the
            order of the labels.

    Returns:
        For every image (label, class name, score), best first; of equal scores
        the lower label first.

    Raises:
        ValueError: if the predictions are no numbers, or NaN or infinite, of
            another shape or of other classes, the names are missing, or `top`
            is less than 1.

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
            f"Expected predictions of shape (N, {len(names)}), one column a "
            f"class; received {scores.shape}. Give the output of a network "
            "with its classifier, a batch also of one image, and "
            "class_names= of other classes."
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
        # A quantised network's integers could not all be negated.
        scores = predictions.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"predictions must be an array of numbers ({error}). Give what "
            "model.predict returns."
        ) from error
    return scores, predictions.dtype.kind not in "biu"


def _probabilities(scores):
    if not np.isfinite(scores.max(axis=1)).all():
        raise ValueError(
            "predictions have NaN or infinity in them, which ranks no class. "
            "Look at the images and the weights that they come from."
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
            "decode_predictions needs to know whose classes these are. Give "
            "the network: decode_predictions(predictions, class_names=model). "
            f"Or give one of {sorted(CLASS_NAMES)}, or the names in the order "
            "of the labels."
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
