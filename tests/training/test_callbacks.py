"""A user's callbacks in a training."""

import json

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from small_training import experiment

from keras_resnetv2 import training
from keras_resnetv2.training import logs
from keras_resnetv2.training.logs import plot_curves
from keras_resnetv2.training.monitor import check_callbacks


class Recorder(keras.callbacks.Callback):
    def __init__(self, stop_after=None):
        super().__init__()
        self.events = []
        self._stop_after = stop_after

    def on_train_begin(self, logs=None):
        self.events.append(("train begins", dict(self.params)))

    def on_train_end(self, logs=None):
        self.events.append(("train ends",))

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(("epoch begins", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch ends", epoch, logs))
        if epoch == self._stop_after:
            self.model.stop_training = True

    def on_train_batch_begin(self, batch, logs=None):
        self.events.append(("batch begins", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(("batch ends", batch, sorted(logs)))

    def told(self, what):
        return [event[1] for event in self.events if event[0] == what]


def logs_of(row):
    return {
        "loss": row.train_loss,
        "accuracy": 1 - row.train_error,
        "val_loss": row.test_loss,
        "val_accuracy": 1 - row.test_error,
        "learning_rate": row.learning_rate,
    }


def test_epochs_are_the_trainings_and_one_may_stop_it(tmp_path, small_fake):
    first = Recorder(stop_after=0)
    [row] = training.train(experiment(), tmp_path, callbacks=[first])
    assert first.events[:3] == [
        ("train begins", {"verbose": 0, "epochs": 3, "steps": 4}),
        ("epoch begins", 0),
        ("batch begins", 0),
    ]
    assert first.events[3] == ("batch ends", 0, ["accuracy", "loss"])
    assert first.told("batch ends") == [0, 1, 2, 3]
    assert first.events[-2:] == [
        ("epoch ends", 0, logs_of(row)),
        ("train ends",),
    ]
    assert (tmp_path / "model.keras").exists()
    assert training.load_trained(tmp_path).step == 4

    second = Recorder()
    csv = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    rows = training.train(experiment(), tmp_path, callbacks=[second, csv])
    assert second.told("epoch begins") == second.told("epoch ends") == [1, 2]
    assert second.told("batch begins") == [0, 1, 2, 3] * 2
    ends = [event for event in second.events if event[0] == "epoch ends"]
    assert [logs for _, _, logs in ends] == [logs_of(r) for r in rows[1:]]
    assert rows[0] == row and len(rows) == 3
    written = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in written] == ["epoch", "1", "2"]


class Failing(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("no connection")


def test_an_error_in_a_callback_loses_nothing(tmp_path, small_fake):
    with pytest.raises(RuntimeError, match="no connection"):
        training.train(experiment(), tmp_path, callbacks=[Failing()])
    assert training.load_trained(tmp_path).step == 4


def test_an_error_in_the_picture_is_a_warning(
    tmp_path, small_fake, monkeypatch, caplog
):
    def fail(*args, **kwargs):
        raise RuntimeError("no font")

    monkeypatch.setattr(logs, "plot_curves", plot_curves)
    monkeypatch.setattr(Figure, "savefig", fail)
    assert training.train(experiment(epochs=1), tmp_path)
    assert "curves.png could not be drawn: no font" in caplog.text


@pytest.mark.parametrize("ema", [0, 0.8])
def test_early_stopping_gives_the_best_weights_back(tmp_path, small_fake, ema):
    stopping = keras.callbacks.EarlyStopping(
        "val_loss", min_delta=1e9, restore_best_weights=True
    )
    run = experiment(ema=ema)
    rows = training.train(run, tmp_path, callbacks=[stopping])
    assert len(rows) == 2  # none is better than the first by that much
    saved = keras.models.load_model(tmp_path / "model.keras")
    saved.compile(loss=keras.losses.SparseCategoricalCrossentropy(True))
    test = small_fake("fake", "test")
    facts = training.load_trained(tmp_path).facts
    loss, *_ = saved.evaluate(facts.standardization(test.images), test.labels)
    assert loss == pytest.approx(rows[0].test_loss, rel=1e-4)
    # There is one result, from which a resume goes on.
    kept = training.load_trained(tmp_path)
    assert kept.step == 8
    for here, there in zip(kept.model.get_weights(), saved.get_weights()):
        np.testing.assert_array_equal(here, there)
    settings = json.loads((tmp_path / "experiment.json").read_text())
    assert "callbacks" not in settings["experiment"]


@pytest.mark.parametrize(
    "callbacks, says",
    [
        ([print], "received <built-in function print>"),
        (keras.callbacks.TerminateOnNaN(), "must be a list of callbacks"),
        (
            [keras.callbacks.ReduceLROnPlateau()],
            "ReduceLROnPlateau cannot. Give learning_rate=",
        ),
        (
            (keras.callbacks.LearningRateScheduler(f) for f in [abs]),
            "sets the learning rate; LearningRateScheduler cannot",
        ),
        ([keras.callbacks.BackupAndRestore("b")], "Omit it"),
    ],
)
def test_other_things_are_refused(callbacks, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        training.train(experiment(), tmp_path / "run", callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_none_is_no_callback_and_a_generator_is_kept():
    assert check_callbacks(None) == []
    callback = keras.callbacks.TerminateOnNaN()
    assert check_callbacks(one for one in [callback]) == [callback]
