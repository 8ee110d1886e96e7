"""Compares training speed with that of keras.layers.BatchNormalization.

    python tools/benchmark.py --model=PreActResNet20 --batch_size=128

Graph, weights and optimizer are the same, in one process. The repeats
alternate, and medians are compared. Images are random: there is no input
pipeline.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_resnetv2 import BatchNormalization, ResNetV2, training
from keras_resnetv2.models.configs import find_config

_MODEL = flags.DEFINE_string("model", "PreActResNet20", "A name in MODELS.")
_BATCH = flags.DEFINE_integer("batch_size", 128, "Images per step.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps per repeat.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Repeats of each.")
_PRECISION = flags.DEFINE_string("precision", "float32", "Dtype policy.")


def with_keras_batch_norm(layer):
    """Clones a layer, replacing our batch normalization by Keras's."""
    config = layer.get_config()
    if isinstance(layer, BatchNormalization):
        config.pop("network_config", None)
        return keras.layers.BatchNormalization.from_config(config)
    return type(layer).from_config(config)


def main(argv):
    """Prints images/s and the first step's seconds of both, and the ratio."""
    config = find_config(_MODEL.value)
    with training.precision(_PRECISION.value):
        ours = ResNetV2(config, classifier_activation=None)
        peer = keras.models.clone_model(
            ours, clone_function=with_keras_batch_norm
        )
    peer.set_weights(ours.get_weights())
    rng = np.random.default_rng(0)
    images = rng.normal(size=(_BATCH.value, *ours.input_shape[1:]))
    labels = rng.integers(config.classes, size=_BATCH.value)
    batch = tf.data.Dataset.from_tensors((images.astype("float32"), labels))
    models = {"keras_resnetv2": ours, "keras BatchNormalization": peer}
    seconds = {name: [] for name in models}
    for name, model in models.items():
        training.compile(model, "paper", total_steps=10**6)
        start = time.perf_counter()
        model.fit(batch, verbose=0)
        print(f"{name}: first step {time.perf_counter() - start:.1f} s")
    for _ in range(_REPEATS.value):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(batch.repeat(_STEPS.value), verbose=0)
            seconds[name].append(time.perf_counter() - start)
    speeds = {
        name: _BATCH.value * _STEPS.value / statistics.median(values)
        for name, values in seconds.items()
    }
    for name, speed in speeds.items():
        print(f"{name}: {speed:.0f} images/s")
    first, second = speeds.values()
    print(f"ratio {first / second:.2f}")


if __name__ == "__main__":
    app.run(main)
