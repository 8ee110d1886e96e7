"""The options are tested, not a clock: the waits come in a third of calls."""

import numpy as np
import pytest

import keras_resnetv2
from keras_resnetv2 import _autotuning

tf = pytest.importorskip("tensorflow")


def tiny():
    config = keras_resnetv2.ResNetConfig(units_per_stage=(1,), widths=(4,))
    model = keras_resnetv2.ResNetV2(config, input_shape=(8, 8, 3))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def iterated(monkeypatch):
    """Whether the datasets that Keras iterates over are autotuned."""
    found = []
    iterate = tf.data.Dataset.__iter__

    def note(dataset):
        found.append(dataset.options().autotune.enabled)
        return iterate(dataset)

    owner = next(c for c in tf.data.Dataset.__mro__ if "__iter__" in vars(c))
    monkeypatch.setattr(owner, "__iter__", note)
    return found


def test_other_options_stay():
    options = tf.data.Options()
    options.deterministic = False
    dataset = tf.data.Dataset.range(3).with_options(options)
    found = _autotuning.without_autotuning(dataset)
    assert found.options().autotune.enabled is False
    assert found.options().deterministic is False


def test_calls_on_arrays_and_datasets_are_not_autotuned(iterated):
    images, labels = np.zeros((4, 8, 8, 3), "float32"), np.zeros(4, "int32")
    model = tiny()
    dataset = tf.data.Dataset.from_tensors((images, labels))
    for given in ((images, labels), (dataset,)):
        model.fit(*given, verbose=0)
        model.evaluate(*given, verbose=0)
        model.predict(given[0], verbose=0)
    assert set(iterated) == {False}
    iterated.clear()
    options = tf.data.Options()
    options.autotune.enabled = True
    model.fit(dataset.with_options(options), verbose=0)
    assert set(iterated) == {True}
