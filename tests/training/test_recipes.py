import keras
import numpy as np
import pytest

import keras_resnetv2
from keras_resnetv2 import training
from keras_resnetv2.training import RECIPES


def rates(recipe, total_steps, **kwargs):
    schedule = training.schedule(recipe, total_steps, **kwargs)
    steps = np.arange(total_steps)
    return np.array([float(schedule(int(s))) for s in steps])


def runs(values):
    """[(value, how many steps in a row), ...]."""
    starts = np.flatnonzero(np.diff(values, prepend=np.nan))
    lengths = np.diff(np.append(starts, len(values)))
    return [
        (round(float(values[s]), 6), int(n)) for s, n in zip(starts, lengths)
    ]


def test_paper_schedule_step_by_step():
    schedule = training.schedule("paper", 64_000)
    # Vectorised over the steps: the schedule is elementwise.
    values = np.array(schedule(np.arange(64_000)))
    assert runs(values) == [
        (0.01, 400),
        (0.1, 31_600),
        (0.01, 16_000),
        (0.001, 16_000),
    ]


def test_torch_schedule_step_by_step():
    steps = RECIPES["torch"].total_steps(50_000, epochs=200)
    assert steps == 200 * 391
    values = np.array(training.schedule("torch", steps)(np.arange(steps)))
    assert runs(values) == [
        (0.1, 81 * 391),
        (0.01, 41 * 391),
        (0.001, 78 * 391),
    ]


def test_shortened_in_proportion():
    assert runs(rates("paper", 320)) == [
        (0.01, 2),
        (0.1, 158),
        (0.01, 80),
        (0.001, 80),
    ]
    assert runs(rates("torch", 200, learning_rate=0.4)) == [
        (0.4, 81),
        (0.04, 41),
        (0.004, 78),
    ]


def test_default_lengths_are_the_papers():
    paper, torch = RECIPES["paper"], RECIPES["torch"]
    assert paper.total_steps(50_000) == 64_000
    assert paper.total_steps(50_000, batch_size=64) == 128_000
    assert torch.total_steps(50_000) == 78_125
    assert paper.total_steps(2_560, epochs=15) == 300


def test_unknown_recipe():
    with pytest.raises(ValueError, match="'adam'.*'paper', 'torch'"):
        training.optimizer("adam", 10)
    with pytest.raises(ValueError, match="at least 1; received 0"):
        training.schedule("paper", 0)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_compile_takes_the_loss_that_fits(activation):
    config = keras_resnetv2.ResNetConfig(depth=8)
    model = keras_resnetv2.ResNetV2(config, classifier_activation=activation)
    training.compile(model, "paper", total_steps=10)
    assert model.loss.get_config()["from_logits"] == (activation is None)


def test_compile_refuses_what_is_no_classifier():
    config = keras_resnetv2.ResNetConfig(depth=8)
    model = keras_resnetv2.ResNetV2(config, include_top=False)
    with pytest.raises(ValueError, match="head_relu.*include_top=True"):
        training.compile(model, "paper", total_steps=10)


def test_float16_scales_the_loss_by_itself():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras_resnetv2.ResNetV2(keras_resnetv2.ResNetConfig(depth=8))
    training.compile(model, "paper", total_steps=10)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
