"""Parameters, multiply-adds and activations, read off a built network."""

import math

import keras

from keras_resnetv2 import BatchNormalization, Complexity
from keras_resnetv2.models.layers import (
    Dropout,
    MinusInfinityPadding,
    PaddingShortcut,
)

# What the gradients of a layer need of its tensors.
_NEEDED = {
    keras.layers.Conv2D: ("input",),
    keras.layers.Dense: ("input",),
    BatchNormalization: ("input",),
    keras.layers.ReLU: ("output",),
    keras.layers.MaxPooling2D: ("input", "output"),
    keras.layers.Multiply: ("input",),
    Dropout: (),  # its mask, which is no tensor of the graph
    keras.layers.Add: (),
    keras.layers.AveragePooling2D: (),
    keras.layers.GlobalAveragePooling2D: (),
    keras.layers.InputLayer: (),
    keras.layers.Rescaling: (),
    keras.layers.ZeroPadding2D: (),
    MinusInfinityPadding: (),
    PaddingShortcut: (),
}
_NEED_THEIR_OUTPUT = (keras.activations.sigmoid, keras.activations.softmax)


def counted(model):
    """Every kernel is applied once at every position of its layer's output."""
    return Complexity(
        parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        multiply_adds=sum(map(_multiply_adds, model.layers)),
        activations=_activations(model.layers),
    )


def _multiply_adds(layer):
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        _, *positions, _ = layer.output.shape
        return math.prod(layer.kernel.shape) * math.prod(positions)
    assert layer.trainable_weights == [] or isinstance(
        layer, keras.layers.BatchNormalization
    ), layer.name
    return 0


def _activations(layers):
    kept, masks = {}, 0
    for layer in layers:
        needed = _NEEDED[type(layer)]
        if getattr(layer, "activation", None) in _NEED_THEIR_OUTPUT:
            needed += ("output",)
        for end in needed:
            for tensor in keras.tree.flatten(getattr(layer, end)):
                kept[id(tensor)] = _values(tensor.shape)
        if isinstance(layer, Dropout) and layer.rate:
            masks += _values(layer.noise_shape or layer.output.shape)
    return sum(kept.values()) + masks


def _values(shape):
    _, *rest = shape  # of one image
    return math.prod(rest)
