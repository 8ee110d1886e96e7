"""The sides of tools/benchmark.py on Keras: this package's, and plain Keras's.

Plain Keras has the same layers except this package's own, is a `keras.Model`,
and has Keras's SGD, whose weight decay is outside the momentum.
"""

import importlib
import math
import sys
from unittest import mock

import keras
import tensorflow as tf
from benchmark_side import LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, initial

from keras_resnetv2 import ResNetConfig, ResNetV2, __version__, training
from keras_resnetv2._autotuning import without_autotuning
from keras_resnetv2.models import builder, layer_names, layers


def build(case, images, labels):
    """Returns the number of trained parameters, and a function of steps."""
    keras.config.set_dtype_policy(case["precision"])
    config = ResNetConfig(**case["config"])
    if case["side"] == "keras":
        model, sgd = _plain(config), keras.optimizers.SGD
    else:
        remat = "unit" if case["side"] == "remat_unit" else "none"
        model = ResNetV2(config, classifier_activation=None, remat=remat)
        sgd = training.SGD
    model.compile(
        sgd(LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for variable in model.weights:
        variable.assign(initial(case, variable.path, variable.shape))
    batch = without_autotuning(tf.data.Dataset.from_tensors((images, labels)))

    def train(steps):
        """Trains; returns the mean loss."""
        history = model.fit(batch.repeat(steps), verbose=0)
        return history.history["loss"][0]

    return sum(math.prod(w.shape) for w in model.trainable_weights), train


def versions():
    """Returns the packages' versions."""
    names = {"tensorflow": "TensorFlow", "jax": "JAX"}
    backend = keras.backend.backend()
    return {
        "keras_resnetv2": __version__,
        "Keras": keras.__version__,
        names[backend]: importlib.import_module(backend).__version__,
    }


def _plain(config):
    """Builds the same graph from keras.layers."""
    sys.setrecursionlimit(20_000)  # Keras recurses over the graph
    inputs = keras.Input((config.input_size, config.input_size, 3))
    with mock.patch.multiple(
        layers,
        BatchNormalization=keras.layers.BatchNormalization,
        PaddingShortcut=_padding_shortcut,
    ):
        x = builder.body(inputs, config)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    head = keras.layers.Dense(
        config.classes, dtype="float32", name=layer_names.CLASSIFIER
    )
    return keras.Model(inputs, head(x))


def _padding_shortcut(filters, strides, name):
    def pad(x):
        channels = [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])]
        return keras.ops.pad(x[:, ::strides, ::strides], channels)

    return keras.layers.Lambda(pad, name=name)
