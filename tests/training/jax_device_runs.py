"""Runs in a process of its own, on JAX: jax_device_runs.py FOLDER PART...

Each part does the same on one device ("one/...") and on four ("many/..."), in
float64, and leaves the comparison to test_jax_devices.py.
"""

import functools
import pathlib
import sys

import jax
import keras
import numpy as np
import pytest
from keras.src.backend.common import dtypes
from PIL import Image
from small_training import UNIT, cut_fake, experiment, train_and_keep

from keras_resnetv2 import ResNetConfig, ResNetV2, data, training
from keras_resnetv2.training.devices import scope
from keras_resnetv2.training.evaluation import predict_logits

FOLDER, *PARTS = sys.argv[1:]
FOLDER = pathlib.Path(FOLDER)
RESULTS = {}
# In this order: JAX starts once, with the devices of the first training.
DEVICES = {"many": 4, "one": 1}
OPTIONS = {**UNIT, "batch_normalization": "synchronized"}
# The masks of a dropout must be those of the whole batch.
SIX_STEPS = {
    "batch_size": 100,
    "precision": "float64",
    "image_size": 8,
    "options": {**OPTIONS, "shortcut": "dropout"},
}


class OnDevices(keras.callbacks.Callback):
    """Checks that every device has the weights."""

    def __init__(self, devices):
        super().__init__()
        self.devices = devices

    def on_train_end(self, logs=None):
        (kernel, *_) = self.model.weights
        assert len(kernel.value.devices()) == self.devices


def train(name, replicas, callbacks=(), **settings):
    train_and_keep(
        RESULTS,
        name,
        experiment(**{**SIX_STEPS, "replicas": replicas, **settings}),
        FOLDER / name,
        callbacks=[OnDevices(replicas), *callbacks],
    )
    assert keras.distribution.distribution() is None


def trained(part, **settings):
    for where, devices in DEVICES.items():
        train(f"{where}/{part}", devices, **settings)
        result = training.evaluate(FOLDER / where / part)
        RESULTS[f"{where}/{part}/evaluate"] = np.array(result["loss"])


class StopAfter(keras.callbacks.Callback):
    """Ends a session after so many of its steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        self.model.stop_training = not self.left


def resumed():
    """On four devices, one and two, two steps each."""
    for devices in (4, 1, 2):
        train("many/resumed", devices, [StopAfter(2)])
    train("one/resumed", 1)


def repeated():
    """To the bit, on four devices, also when resumed."""
    train("one/repeated", 4)
    train("many/repeated", 4, [StopAfter(3)])
    train("many/repeated", 4)


def files():
    random = np.random.default_rng(0)
    for split, count in (("train", 66), ("test", 23)):
        for label in "abc":
            folder = FOLDER / "images" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 256, (5, 6, 3), np.uint8)
                picture = Image.fromarray(pixels).resize((24, 20))
                picture.save(folder / f"{i}.png")
    trained(
        "files",
        dataset=str(FOLDER / "images"),
        augmentation="scale",
        image_size=16,
        standardization="cifar10",
    )


def tested():
    """All images once, in order, whatever the size of a batch."""
    pixels = data.load_arrays("fake", "test").take(70)
    as_is = data.Standardization(np.zeros(3), np.ones(3))
    for where, devices in DEVICES.items():
        keras.utils.set_random_seed(1)
        with (
            training.precision("float64"),
            scope(training.make_strategy(devices)),
        ):
            config = ResNetConfig(units_per_stage=(1,), widths=(8,))
            model = ResNetV2(config, input_shape=(32, 32, 3))
            for size in (3, 16, 500):
                RESULTS[f"{where}/tested/{size}"] = predict_logits(
                    model, pixels, as_is, size
                )


def refused():
    for name, settings in {
        "per_replica": {"options": UNIT, "replicas": 4},
        "more": {"replicas": 5},
    }.items():
        try:
            train("refused", **settings)
        except ValueError as error:
            RESULTS[f"many/refused/{name}"] = np.array(str(error))
    assert not (FOLDER / "refused").exists()


DO = {
    "memory": functools.partial(trained, "memory"),
    "modern": functools.partial(
        trained, "modern", recipe="modern", ema=0.8, remat="unit"
    ),
    "bfloat16": functools.partial(
        trained, "bfloat16", precision="mixed_bfloat16"
    ),
    "float16": functools.partial(trained, "float16", precision="mixed_float16"),
    **{do.__name__: do for do in (resumed, repeated, files, tested, refused)},
}

jax.config.update("jax_enable_x64", True)
# Keras on JAX computes in float32 even where everything is float64.
dtypes.BIT64_TO_BIT32_DTYPE.clear()
keras.config.set_floatx("float64")  # of the loss and the metrics
cut_fake(pytest.MonkeyPatch())
for part in PARTS:
    DO[part]()
np.savez(FOLDER / "results.npz", **RESULTS)
