import time

import keras
import numpy as np
import pytest

from keras_resnetv2.training.monitor import InputWait

PAUSE = 0.05  # seconds


def batches(steps):
    for _ in range(steps):
        time.sleep(PAUSE)
        yield np.ones((4, 3), "float32"), np.zeros(4, "int32")


def as_dataset(generator):
    tf = pytest.importorskip("tensorflow")
    signature = (tf.TensorSpec((4, 3)), tf.TensorSpec((4,), tf.int32))
    return tf.data.Dataset.from_generator(
        lambda: generator, output_signature=signature
    )


@pytest.mark.parametrize("kind", [as_dataset, lambda generator: generator])
def test_slow_input_is_seen(kind, monkeypatch):
    if kind is not as_dataset:  # what the other backends take
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    wait = InputWait()
    data = wait.measure(model, kind(batches(6)))
    model.fit(data, steps_per_epoch=6, verbose=0)
    assert int(model.optimizer.iterations) == 6
    assert wait.seconds > 5 * PAUSE
