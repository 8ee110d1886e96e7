"""Eq. (4), (5), (7) and (8): measures signal and gradient at every unit."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from keras_resnetv2.analysis import numpy_unit
from keras_resnetv2.analysis.built_units import Unit
from keras_resnetv2.analysis.steps import Step
from keras_resnetv2.data.predictions import softmax


def sample_norms(values: np.ndarray) -> np.ndarray:
    """Returns the Euclidean norm of each sample: (N, ...) to (N,)."""
    flat = values.reshape(len(values), -1).astype("float64")
    return np.sqrt(np.einsum("ij,ij->i", flat, flat))


def norm(values: np.ndarray) -> float:
    """Returns the Euclidean norm of the whole batch."""
    return float(np.linalg.norm(sample_norms(values)))


def rms_norm(values: np.ndarray) -> float:
    """Returns the root mean square of the samples' norms."""
    return float(norm(values) / np.sqrt(len(values)))


def ratio(part: float, whole: float) -> float:
    """Returns part / whole; NaN if the whole is 0."""
    return float(part / whole) if whole else float("nan")


class Gap(NamedTuple):
    """Two columns of a `UnitRow`."""

    forward_gap: float
    numpy_difference: float


def forward_gaps(
    units: Sequence[Unit], steps: Sequence[Step], training: bool
) -> list[Gap]:
    """Evaluates the equation from the start of each stage, with NumPy's F.

    Args:
        units: all units, first to last.
        steps: their steps.
        training: the mode in which the steps were run.

    Returns:
        A `Gap` for each unit.
    """
    signal, gaps = steps[0].x, []
    for unit, step in zip(units, steps, strict=True):
        x = step.x.astype("float64")
        residual = numpy_unit.residual(unit, x, training)
        residual = residual * _kept(unit, step.residual, training)
        if unit.dimension_change:
            signal = step.carried * step.scale
        elif unit.kind == "dropout":
            signal = signal * step.scale
        else:
            signal = numpy_unit.shortcut(unit, signal, x)
        signal = signal + residual
        difference = np.abs(step.residual - residual).max()
        gaps.append(
            Gap(
                ratio(norm(step.output - signal), norm(step.output)),
                ratio(difference, np.abs(step.residual).max()),
            )
        )
    return gaps


def _kept(unit, residual, training):
    """Returns stochastic depth's factor on F, (N, 1, 1, 1); 0 if dropped."""
    drop = unit.layers.get("residual_drop")
    if drop is None or not (training and drop.trainable):
        return 1.0
    kept = np.any(residual != 0, axis=(1, 2, 3), keepdims=True)
    return kept / (1 - drop.rate)


@dataclasses.dataclass(frozen=True)
class Arrival:
    """The gradient at the input of one unit.

    Attributes:
        gradient: dE/dx_l, (N, H, W, C).
        direct: the part that went only through shortcuts and f.
        factor: `UnitRow.factor`.
    """

    gradient: np.ndarray
    direct: np.ndarray
    factor: float


def backward(
    units: Sequence[Unit], steps: Sequence[Step], gradient: np.ndarray
) -> list[Arrival]:
    """Propagates a gradient and its direct part from last to first unit.

    Args:
        units: all units, first to last.
        steps: their steps.
        gradient: dE/dx_L, at the last unit's output.

    Returns:
        An `Arrival` for each unit, first to last.
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
    """Returns dE/d(features); E is the sum of cross entropies, in float64.

    Args:
        classifier: the last layer, with or without a softmax.
        features: its input, (N, C).
        labels: (N,).
    """
    kernel = keras.ops.convert_to_numpy(classifier.kernel).astype("float64")
    logits = features @ kernel
    if classifier.use_bias:
        logits = logits + keras.ops.convert_to_numpy(classifier.bias)
    probabilities = softmax(logits)
    probabilities[np.arange(len(labels)), labels] -= 1
    return probabilities @ kernel.T


def _factor(unit, step):
    if unit.kind == "conv":
        kernel = keras.ops.convert_to_numpy(unit.layers["shortcut_conv"].kernel)
        return float(np.linalg.norm(kernel) / np.sqrt(kernel.shape[-1]))
    return float(np.mean(step.scale, dtype="float64"))
