"""A part of a network with its derivative, on each of Keras's backends."""

import keras
import numpy as np

from keras_resnetv2.models.network import ResNet


class Cut:
    """What a network computes between one place and some others.

    Args:
        start: a place in its graph.
        ends: places that depend on it, and on nothing else; `start` itself may
            be among them.
    """

    def __init__(self, start, ends):
        self._ends = ends
        self._start = start
        inner = [end for end in ends if end is not start]
        self._model = ResNet(start, inner) if inner else None

    def values(self, x, training: bool) -> list[np.ndarray]:
        """Computes the values at the ends, from the value at the start."""
        found = _flat(
            self._model(keras.ops.convert_to_tensor(x), training=training)
        )
        return [keras.ops.convert_to_numpy(value) for value in found]

    def linearize(self, x, training: bool):
        """Computes the values at the ends, and how to go back from them.

        Args:
            x: the value at the start.
            training: as of a Keras call.

        Returns:
            (values, pullback). `pullback` takes one array an end, dE/d(end),
            or None for none, and returns what of dE/d(start) comes by it.
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


def _flat(values):
    """One output comes without its list."""
    return keras.tree.flatten(values)


def _tensorflow(model, x, training):
    import tensorflow as tf

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as t:
        t.watch(x)
        values = _flat(model(x, training=training))
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
        lambda x: _flat(model.stateless_call(*state, x, training=training)[0]),
        x,
    )
    return values, lambda gradients: back(gradients)[0]


def _torch(model, x, training):
    import torch

    x = x.detach().requires_grad_()
    values = _flat(model(x, training=training))
    return values, lambda gradients: torch.autograd.grad(
        values, x, gradients, retain_graph=True
    )[0]


_LINEARIZE = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
