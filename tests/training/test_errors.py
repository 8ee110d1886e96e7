"""NaN and Inf stop a training, and say where."""

import keras
import numpy as np
import pytest
from small_training import experiment

from keras_resnetv2 import training
from keras_resnetv2.training import (
    DivergedError,
    checkpoints,
    compiling,
    logs,
)


def explode_at(step, monkeypatch):
    """The learning rate is harmless before a step (from 1), then it is not."""

    def schedule(*args):
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [step - 2], [0.01, 1e38]
        )

    monkeypatch.setattr(compiling, "schedule", schedule)


def test_loss_that_is_not_finite_stops_the_training(
    tmp_path, small_fake, monkeypatch
):
    explode_at(7, monkeypatch)
    with pytest.raises(DivergedError, match="at step 8: the training") as seen:
        training.train(experiment(), tmp_path)
    assert seen.value.step == 8  # the loss after the update of step 7
    assert [row.step for row in logs.read_rows(tmp_path / "metrics.csv")] == [4]
    trained = training.load_trained(tmp_path)
    assert trained.step == 4
    assert all(np.isfinite(w).all() for w in trained.model.get_weights())
    # The same command stops at the same step.
    with pytest.raises(DivergedError, match="at step 8"):
        training.train(experiment(), tmp_path)
    assert not (tmp_path / "model.keras").exists()


def test_weights_that_are_not_finite_are_no_checkpoint(
    tmp_path, small_fake, monkeypatch
):
    explode_at(8, monkeypatch)  # the last step of an epoch: its loss is finite
    with pytest.raises(DivergedError) as seen:
        training.train(experiment(), tmp_path)
    assert seen.value.step == 8
    assert checkpoints.last_step(tmp_path / "checkpoints") == 4


def test_a_checkpoint_refuses_what_is_not_finite(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([np.ones((3, 2)), np.array([0.0, np.inf])])
    with pytest.raises(DivergedError, match="dense.*bias is not finite at"):
        checkpoints.save(model, tmp_path, 5, {})
    assert not list(tmp_path.iterdir())
