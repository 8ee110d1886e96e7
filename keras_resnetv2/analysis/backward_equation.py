"""Eq. (5) and (8): what of a gradient comes straight down the shortcuts."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from keras_resnetv2.analysis.steps import Step
from keras_resnetv2.analysis.units import Unit


@dataclasses.dataclass(frozen=True)
class Arrival:
    """What arrives at the input of one unit.

    Attributes:
        gradient: dE/dx_l, (N, H, W, C).
        direct: of it, what came down the shortcuts and through f alone.
        factor: `UnitRow.factor`.
    """

    gradient: np.ndarray
    direct: np.ndarray
    factor: float


def backward(
    units: Sequence[Unit], steps: Sequence[Step], gradient: np.ndarray
) -> list[Arrival]:
    """Carries a gradient, and its direct part, from the last unit to the first.

    Args:
        units: all units, first to last.
        steps: theirs.
        gradient: dE/dx_L, at the last unit's output.

    Returns:
        A unit's `Arrival`, first to last.
    """
    direct, arrivals = gradient, []
    for unit, step in reversed(list(zip(units, steps, strict=True))):
        at_sum = step.back_through_f(gradient)
        gradient = step.back_through_addends(at_sum, at_sum)
        direct = step.back_through_shortcut(step.back_through_f(direct))
        arrivals.append(Arrival(gradient, direct, _factor(unit, step)))
    return arrivals[::-1]


def feature_gradient(
    classifier: keras.layers.Dense, features: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """dE/d(features), E the sum of the samples' cross entropies; in float64.

    Args:
        classifier: the last layer, with or without a softmax.
        features: what it takes, (N, C).
        labels: (N,).
    """
    kernel = keras.ops.convert_to_numpy(classifier.kernel).astype("float64")
    logits = features @ kernel
    if classifier.use_bias:
        logits = logits + keras.ops.convert_to_numpy(classifier.bias)
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    probabilities[np.arange(len(labels)), labels] -= 1
    return probabilities @ kernel.T


def _factor(unit, step):
    if unit.kind == "conv":
        kernel = keras.ops.convert_to_numpy(unit.layers["shortcut_conv"].kernel)
        return float(np.linalg.norm(kernel) / np.sqrt(kernel.shape[-1]))
    return float(np.mean(step.scale, dtype="float64"))
