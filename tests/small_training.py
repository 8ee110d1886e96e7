"""The training that most tests of training run: seconds, not minutes."""

import keras
import numpy as np

from keras_resnetv2 import data, training
from keras_resnetv2.training import Experiment, classes, images, logs

# A network of one unit, for `Experiment.options`: quickly traced.
UNIT = {"depth": None, "units_per_stage": (1,), "widths": (8,)}


def experiment(**kwargs):
    """A net of one unit on `fake`, which the fixture small_fake cuts."""
    return Experiment(
        **{
            "model": "PreActResNet20",
            "dataset": "fake",
            "options": UNIT,
            "epochs": 3,
            "batch_size": 64,
            **kwargs,
        }
    )


def train_and_keep(results, name, settings, workdir, callbacks=()):
    """Trains, and keeps all variables and the rows in a dict."""
    keep = keras.callbacks.LambdaCallback()
    keep.on_train_end = lambda logs: keep_variables(results, name, keep.model)
    rows = training.train(settings, workdir, callbacks=[keep, *callbacks])
    for row in rows:
        results[f"{name}/rows/{row.epoch}"] = np.array(
            [row.step, row.train_loss, row.test_loss, row.test_error]
        )


def keep_variables(results, name, model):
    """Keeps all variables of a network and its optimizer in a dict."""
    for i, variable in enumerate([*model.weights, *model.optimizer.variables]):
        results[f"{name}/{i} {variable.name}"] = np.array(
            keras.ops.convert_to_numpy(variable)
        )


def cut_fake(monkeypatch):
    """Makes trainings load 200 and 70 images of `fake`; returns the loader.

    Nor do they draw their curves, nor evaluations their confusion matrix,
    which takes longer than their steps.
    """

    def load(name, split="train", **kwargs):
        count = {"train": 200, "test": 70}[split]
        loaded = data.load_arrays(name, split, **kwargs)
        return loaded.take(min(count, len(loaded)))

    monkeypatch.setattr(images, "load_arrays", load)
    monkeypatch.setattr(logs, "plot_curves", lambda *args, **kwargs: None)
    monkeypatch.setattr(classes, "_plot_confusion", lambda *args: None)
    return load


def epoch_row(epoch, **fields):
    """A line of metrics.csv, of 6 steps an epoch but for what is given."""
    return logs.EpochRow(
        **{
            "epoch": epoch,
            "step": 6 * epoch,
            "learning_rate": 0.1,
            "train_loss": 2.0,
            "train_error": 0.8,
            "test_loss": 2.0,
            "test_error": 0.5,
            "images_per_second": 100.0,
            "input_wait_seconds": 0.0,
            "seconds": 4.0,
            "time": 0.0,
            **fields,
        }
    )
