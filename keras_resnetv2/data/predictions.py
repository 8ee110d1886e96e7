"""A network's answers in words."""

from collections.abc import Sequence

import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2.data import cifar10_sample

# By data set, in the order of its labels.
CLASS_NAMES = {"cifar10": cifar10_sample.CLASS_NAMES}


def decode_predictions(
    predictions: np.ndarray,
    top: int = 5,
    class_names: str | Sequence[str] = "cifar10",
) -> list[list[tuple[int, str, float]]]:
    """Names the likeliest classes of every image.

    Args:
        predictions: (N, classes), probabilities or logits, as `model.predict`
            gives them.
        top: how many to name; all, where there are fewer.
        class_names: a key of `CLASS_NAMES`, or the names in the order of the
            labels.

    Returns:
        For every image (label, class name, score), best first; of equal scores
        the lower label first.

    Raises:
        ValueError: if the predictions are no numbers, of another shape or of
            other classes, or `top` is less than 1.

    Reference:
        keras.applications.imagenet_utils.decode_predictions.

    Example:
        >>> decode_predictions([[0.1, 0.7, 0.2]], 2, ["cat", "dog", "frog"])
        [[(1, 'dog', 0.7), (2, 'frog', 0.2)]]
    """
    names = _names(class_names)
    scores = _scores(predictions)
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ValueError(
            f"Expected predictions of shape (N, {len(names)}), one column a "
            f"class; received {scores.shape}. Give the output of a network "
            "with its classifier, a batch also of one image, and "
            "class_names= of other classes."
        )
    check_count("top", top)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [(int(label), names[label], float(row[label])) for label in labels]
        for row, labels in zip(scores, best)
    ]


def _scores(predictions):
    try:
        # A quantised network's integers could not all be negated.
        scores = np.asarray(predictions).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"predictions must be an array of numbers ({error}). Give what "
            "model.predict returns."
        ) from error
    if np.isnan(scores).any():
        raise ValueError(
            "predictions have NaN in them, which ranks no class. Look at the "
            "images and the weights that they come from."
        )
    return scores


def _names(class_names):
    if not isinstance(class_names, str):
        return tuple(class_names)
    if class_names not in CLASS_NAMES:
        raise ValueError(
            f"Unknown class_names {class_names!r}; give one of "
            f"{sorted(CLASS_NAMES)}, or the names in the order of the labels."
        )
    return CLASS_NAMES[class_names]
