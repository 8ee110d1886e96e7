"""Parameters and multiply-adds, read off a built network's graph."""

import math

import keras

from keras_resnetv2 import Complexity


def counted(model):
    """Every kernel is applied once at every position of its layer's output."""
    multiply_adds = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            _, *positions, _ = layer.output.shape
            multiply_adds += math.prod(layer.kernel.shape) * math.prod(
                positions
            )
        else:
            assert layer.trainable_weights == [] or isinstance(
                layer, keras.layers.BatchNormalization
            ), layer.name
    return Complexity(
        parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        multiply_adds=multiply_adds,
    )
