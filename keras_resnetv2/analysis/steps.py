"""Runs a network unit by unit, with pullbacks, on every Keras backend."""

import dataclasses
import weakref
from collections.abc import Callable

import keras
import numpy as np

from keras_resnetv2.analysis.built_units import Unit, find_units
from keras_resnetv2.models.network import ResNet


@dataclasses.dataclass(frozen=True)
class Step:
    """One unit's values in the forward pass, and its backward functions.

    Attributes:
        x: the unit's input, (N, H, W, C).
        carried: the signal on the shortcut, before `scale`.
        scale: the shortcut's factor: lambda, 1 - g(x), dropout's multiplier, or
            1. It is a number, or an array like `carried`.
        residual: F(x).
        output: f(h(x) + F(x)).
        back_through_f: maps a gradient at the output to one at the sum.
        back_through_addends: maps gradients at h(x) and F(x) to one at x.
        back_through_shortcut: maps a gradient at h(x) to one at x, with a
            constant gate.
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
        units: the units, first to last.
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
            (a `Step` for each unit, the classifier's input, a function from a
            gradient there to one at the last unit's output).
        """
        (x,) = self._stem.values(images, training)
        steps = []
        for cuts in self._cuts:
            steps.append(cuts.step(x, training))
            x = steps[-1].output
        (features,), back = self._head.linearize(x, training)
        return steps, features, lambda gradient: back([gradient])


def route_of(model: keras.Model, classifier: keras.layers.Dense) -> Route:
    """Returns the model's `Route`; cached, because cuts add graph nodes."""
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


class Cut:
    """The part of a network between one tensor and some others.

    Args:
        start: a tensor of its graph.
        ends: tensors that depend only on `start`; may include `start` itself.
    """

    def __init__(self, start, ends):
        self._ends = ends
        self._start = start
        inner = [end for end in ends if end is not start]
        self._model = ResNet(start, inner) if inner else None

    def values(self, x, training: bool) -> list[np.ndarray]:
        """Computes the values at the ends, from the value at the start."""
        found = keras.tree.flatten(
            self._model(keras.ops.convert_to_tensor(x), training=training)
        )
        return [keras.ops.convert_to_numpy(value) for value in found]

    def linearize(self, x, training: bool):
        """Computes the values at the ends, and the pullback from them.

        Args:
            x: the value at the start.
            training: see `keras.Model`.

        Returns:
            (values, pullback). `pullback` takes for each end an array
            dE/d(end), or None for zero, and returns its part of dE/d(start).
        """
        found, back = [], None
        if self._model is not None:
            found, back = _LINEARIZE[keras.backend.backend()](
                self._model, keras.ops.convert_to_tensor(x), training
            )
        rest = iter(found)
        values = [
            x if end is self._start else keras.ops.convert_to_numpy(next(rest))
            for end in self._ends
        ]

        def pullback(gradients):
            through, inner = 0.0, []
            for end, gradient in zip(self._ends, gradients, strict=True):
                if end is not self._start:
                    inner.append(gradient)
                elif gradient is not None:
                    through = through + gradient
            if all(gradient is None for gradient in inner):
                return np.broadcast_to(through, x.shape)
            inner = [
                keras.ops.zeros_like(value)
                if gradient is None
                else keras.ops.convert_to_tensor(gradient, dtype=value.dtype)
                for value, gradient in zip(found, inner)
            ]
            return through + keras.ops.convert_to_numpy(back(inner))

        return values, pullback


def _tensorflow(model, x, training):
    import tensorflow as tf

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as t:
        t.watch(x)
        values = keras.tree.flatten(model(x, training=training))
    return values, lambda gradients: t.gradient(
        values, x, gradients, unconnected_gradients="zero"
    )


def _jax(model, x, training):
    import jax

    state = [
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    ]
    values, back = jax.vjp(
        lambda x: keras.tree.flatten(
            model.stateless_call(*state, x, training=training)[0]
        ),
        x,
    )
    return values, lambda gradients: back(gradients)[0]


def _torch(model, x, training):
    import torch

    x = x.detach().requires_grad_()
    values = keras.tree.flatten(model(x, training=training))
    return values, lambda gradients: torch.autograd.grad(
        values, x, gradients, retain_graph=True
    )[0]


_LINEARIZE = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
