import keras
import numpy as np
import pytest
from small_training import experiment

import keras_resnetv2
from keras_resnetv2 import training
from keras_resnetv2.training import averaging, logs


def tiny(seed=0, **options):
    keras.utils.set_random_seed(seed)
    config = keras_resnetv2.ResNetConfig(
        units_per_stage=(1,), widths=(4,), **options
    )
    return keras_resnetv2.ResNetV2(config, input_shape=(8, 8, 3))


def images(count=12):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, 8, 8, 3), "float32")


class Weights(keras.callbacks.Callback):
    """Keeps the weights after every step, and those at an epoch's end."""

    def __init__(self):
        super().__init__()
        self.steps, self.epochs = [], []

    def _trained(self):
        return [np.array(v) for v in self.model.trainable_variables]

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self._trained())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self._trained())


def test_the_average_is_tested_saved_and_shown(tmp_path, small_fake):
    seen = Weights()
    training.train(experiment(ema=0.5), tmp_path, callbacks=[seen])
    expected = seen.steps[0]
    momenta = [min(0.5, (1 + step) / (10 + step)) for step in range(1, 12)]
    assert momenta[3] < 0.5 == momenta[-1]  # it begins short
    for m, weights in zip(momenta, seen.steps[1:], strict=True):
        expected = [m * a + (1 - m) * w for a, w in zip(expected, weights)]
    trained = training.load_trained(tmp_path).model
    saved = keras.models.load_model(tmp_path / "model.keras")
    shown = seen.epochs[-1]
    for found in (
        shown,
        [np.array(v) for v in trained.trainable_variables],
        [np.array(v) for v in saved.trainable_variables],
    ):
        for here, there in zip(found, expected, strict=True):
            np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-6)
    off = [np.abs(a - b).max() for a, b in zip(expected, seen.steps[-1])]
    assert max(off) > 1e-3
    *_, last = logs.read_rows(tmp_path / "metrics.csv")
    error = training.evaluate(tmp_path)["error"]
    assert error == pytest.approx(last.test_error)


class SpoilTheStatistics(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.set_weights([0 * w for w in self.model.get_weights()])


def test_a_callback_cannot_spoil_the_training(tmp_path, small_fake):
    spoilt, whole = tmp_path / "spoilt", tmp_path / "whole"
    run = experiment(ema=0.8)
    training.train(run, spoilt, callbacks=[SpoilTheStatistics()])
    training.train(run, whole)
    one, other = map(training.load_trained, (spoilt, whole))
    for here, there in zip(one.model.get_weights(), other.model.get_weights()):
        np.testing.assert_array_equal(here, there)


def test_without_an_average_nothing_changes():
    model = tiny()
    training.compile(model, total_steps=10)
    before = model.get_weights()
    with averaging.averaged(model):
        for here, there in zip(model.get_weights(), before):
            np.testing.assert_array_equal(here, there)


def test_own_weights_come_back_to_the_bit():
    model = tiny()
    training.compile(model, total_steps=10, ema=0.5)
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    for average in averaging.averages_of(model).values():
        average.assign(keras.ops.ones_like(average) / 3)
    with pytest.raises(RuntimeError), averaging.averaged(model):
        for variable in model.trainable_variables:
            np.testing.assert_allclose(variable, 1 / 3, rtol=1e-6)
        raise RuntimeError
    for here, there in zip(model.get_weights(), before):
        np.testing.assert_array_equal(here, there)


def test_average_of_three_networks():
    models = [tiny(seed) for seed in range(3)]
    weights = [model.get_weights() for model in models]
    training.average_weights(models[0], models[1:])
    for found, *each in zip(models[0].get_weights(), *weights):
        np.testing.assert_allclose(found, np.mean(each, 0), atol=1e-7)


def test_networks_that_cannot_be_averaged():
    with pytest.raises(ValueError, match="at least one other"):
        training.average_weights(tiny(), [])
    with pytest.raises(ValueError, match="must be a list of networks"):
        training.average_weights(tiny(), tiny())
    # It has the same weights, but other functions.
    for options in ({"classes": 7}, {"shortcut": "dropout"}):
        with pytest.raises(ValueError, match="one architecture"):
            training.average_weights(tiny(), [tiny(**options)])


@pytest.mark.parametrize("remat", ["none", "unit"])
def test_statistics_become_the_mean_over_the_batches(remat):
    model = tiny()
    model.remat = remat
    first = next(
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    inputs = keras.Model(model.inputs, first.input)
    batches = np.split(images(), 3)
    training.update_batch_normalization(model, batches)
    maps = [np.array(inputs(batch)) for batch in batches]
    mean = np.mean([m.mean((0, 1, 2)) for m in maps], axis=0)
    variance = np.mean([m.var((0, 1, 2), ddof=1) for m in maps], axis=0)
    np.testing.assert_allclose(first.moving_mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.moving_variance, variance, rtol=1e-4)
    assert first.momentum == 0.9 and model.remat == remat


def test_frozen_statistics_stay():
    model = tiny()
    layers = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    layers[0].trainable = False
    stream = ((batch, None) for batch in np.split(images(), 3))
    training.update_batch_normalization(model, stream, steps=2)
    np.testing.assert_array_equal(layers[0].moving_mean, np.zeros(4))
    assert np.abs(layers[1].moving_mean).max() > 1e-3
    assert len(list(stream)) == 1  # two steps were asked for


def test_nothing_to_estimate():
    model = tiny()
    with pytest.raises(ValueError, match="at least one batch"):
        training.update_batch_normalization(model, [])
    model.trainable = False
    with pytest.raises(ValueError, match="nothing to estimate"):
        training.update_batch_normalization(model, [images()])
