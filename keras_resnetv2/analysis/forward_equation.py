"""Eq. (4) and (7): a signal is its stage's first x and the sum of all F."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_resnetv2.analysis import numpy_unit
from keras_resnetv2.analysis.norms import norm, ratio
from keras_resnetv2.analysis.steps import Step
from keras_resnetv2.analysis.units import Unit


class Gap(NamedTuple):
    """Two columns of a `UnitRow`."""

    forward_gap: float
    numpy_difference: float


def forward_gaps(
    units: Sequence[Unit], steps: Sequence[Step], training: bool
) -> list[Gap]:
    """Follows the equation from the beginning of each stage, with NumPy's F.

    Args:
        units: all units, first to last.
        steps: theirs.
        training: as the steps were run.

    Returns:
        A unit's `Gap`.
    """
    signal, gaps = steps[0].x, []
    for unit, step in zip(units, steps, strict=True):
        x = step.x.astype("float64")
        residual = numpy_unit.residual(unit, x, training)
        residual = residual * _kept(unit, step.residual, training)
        if unit.transition:
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
    """Stochastic depth's factor on F, (N, 1, 1, 1): what it drops is zero."""
    drop = unit.layers.get("residual_drop")
    if drop is None or not (training and drop.trainable):
        return 1.0
    kept = np.any(residual != 0, axis=(1, 2, 3), keepdims=True)
    return kept / (1 - drop.rate)
