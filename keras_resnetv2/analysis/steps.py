"""A network run unit by unit, with the ways back."""

import dataclasses
import weakref
from collections.abc import Callable

import keras
import numpy as np

from keras_resnetv2.analysis.cuts import Cut
from keras_resnetv2.analysis.units import Unit, find_units


@dataclasses.dataclass(frozen=True)
class Step:
    """One unit's values in the forward pass, and the parts of its way back.

    Attributes:
        x: what the unit takes, (N, H, W, C).
        carried: what goes down the shortcut, in front of `scale`.
        scale: the shortcut's own factor on it: lambda, 1 - g(x), what dropout
            multiplies by, or 1; a number, or as `carried`.
        residual: F(x).
        output: f(h(x) + F(x)).
        back_through_f: from a gradient at the output to that at the sum.
        back_through_addends: from gradients at h(x) and F(x) to that at x.
        back_through_shortcut: from one at h(x) alone to that at x, the gate's
            value held.
    """

    x: np.ndarray
    carried: np.ndarray
    scale: np.ndarray | float
    residual: np.ndarray
    output: np.ndarray
    back_through_f: Callable
    back_through_addends: Callable
    back_through_shortcut: Callable


class Route:
    """A network cut at its units.

    Attributes:
        units: first to last.
        classifier: the last `Dense` layer.
    """

    def __init__(self, model: keras.Model, classifier: keras.layers.Dense):
        self.units = find_units(model)
        self.classifier = classifier
        first, last = self.units[0], self.units[-1]
        self._stem = Cut(model.inputs[0], [first.x])
        self._cuts = [_UnitCuts(unit) for unit in self.units]
        self._head = Cut(last.output, [classifier.input])

    def run(
        self, images: np.ndarray, training: bool
    ) -> tuple[list[Step], np.ndarray, Callable]:
        """Runs a batch.

        Returns:
            (a `Step` a unit, what the classifier takes, from a gradient there
            to that at the last unit's output).
        """
        (x,) = self._stem.values(images, training)
        steps = []
        for cuts in self._cuts:
            steps.append(cuts.step(x, training))
            x = steps[-1].output
        (features,), back = self._head.linearize(x, training)
        return steps, features, lambda gradient: back([gradient])


def route_of(model: keras.Model, classifier: keras.layers.Dense) -> Route:
    """Returns the model's `Route`, which is made once: cuts add graph nodes."""
    if model not in _ROUTES:
        _ROUTES[model] = Route(model, classifier)
    return _ROUTES[model]


_ROUTES = weakref.WeakKeyDictionary()


class _UnitCuts:
    def __init__(self, unit: Unit):
        self._unit = unit
        ends = [unit.residual, unit.carried]
        if unit.gate is not None:
            ends += [unit.shortcut, unit.gate]
        self._addends = Cut(unit.x, ends)
        drops = "shortcut_dropout" in unit.layers
        self._drop = Cut(unit.carried, [unit.shortcut]) if drops else None
        self._f = Cut(unit.y, [unit.output])

    def step(self, x, training):
        (residual, carried, *gated), back = self._addends.linearize(x, training)
        scale = self._scale(carried, gated, training)
        shortcut = gated[0] if gated else carried * scale

        def back_through_addends(h, F):
            if gated:
                return back([F, None, h, None])
            return back([F, h * scale])

        def back_through_shortcut(h):
            return back([None, h * scale, *(None for _ in gated)])

        (output,), back_through_f = self._f.linearize(
            shortcut + residual, training
        )
        return Step(
            x,
            carried,
            scale,
            residual,
            output,
            back_through_f=lambda gradient: back_through_f([gradient]),
            back_through_addends=back_through_addends,
            back_through_shortcut=back_through_shortcut,
        )

    def _scale(self, carried, gated, training):
        if gated:
            return gated[1]
        if self._drop is not None:
            _, back = self._drop.linearize(carried, training)
            return back([np.ones_like(carried)])
        scaling = self._unit.layers.get("shortcut_scale")
        return 1.0 if scaling is None else float(scaling.scale)
