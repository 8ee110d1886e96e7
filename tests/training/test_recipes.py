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


def tiny(**kwargs):
    config = keras_resnetv2.ResNetConfig(units_per_stage=(1,), widths=(4,))
    return keras_resnetv2.ResNetV2(config, input_shape=(8, 8, 3), **kwargs)


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


def test_cosine_schedule_step_by_step():
    steps, warmup = 1640, 50
    values = rates("modern", steps, learning_rate=0.5)
    rise = np.linspace(0.5 / 51, 0.5, warmup + 1)
    np.testing.assert_allclose(values[: warmup + 1], rise, rtol=1e-5)
    progress = np.arange(steps - warmup) / (steps - warmup)
    fall = 0.25 * (1 + np.cos(np.pi * progress))
    np.testing.assert_allclose(values[warmup:], fall, atol=1e-6)
    without = training.Recipe(epochs=1, schedule="cosine")
    np.testing.assert_allclose(
        rates(without, 100),
        0.05 * (1 + np.cos(np.pi * np.arange(100) / 100)),
        atol=1e-7,
    )


def test_a_schedule_of_another_kind():
    assert rates("paper", 320, schedule_kind="cosine")[-1] < 1e-4
    for name, steps, part in (
        ("modern", 320, 80),
        ("modern_imagenet", 270, 90),
    ):
        found = runs(rates(name, steps, schedule_kind="steps"))
        assert found[-2:] == [(0.01, part), (0.001, part)]
    with pytest.raises(ValueError, match="schedule.*'linear'.*'steps'"):
        training.schedule("paper", 10, schedule_kind="linear")


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


def test_imagenet_schedule_step_by_step():
    steps = RECIPES["imagenet"].total_steps(1_281_167, epochs=90)
    assert steps == 90 * 5005
    values = np.array(training.schedule("imagenet", steps)(np.arange(steps)))
    assert runs(values) == [
        (0.1, 30 * 5005),
        (0.01, 30 * 5005),
        (0.001, 30 * 5005),
    ]


def test_imagenet_is_the_papers():
    recipe = RECIPES["imagenet"]
    assert (recipe.epochs, recipe.batch_size) == (90, 256)
    assert (recipe.augmentation, recipe.standardization) == (
        "scale",
        "imagenet",
    )
    optimizer = training.optimizer(recipe, total_steps=90)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, False)
    assert optimizer.momentum_form == "caffe"
    assert optimizer.coupled_weight_decay == 1e-4
    assert recipe.kernel_initializer == "he_normal"


@pytest.mark.parametrize(
    "recipe, given, expected",
    [
        ("imagenet", {}, 0.1),
        ("imagenet", {"batch_size": 64}, 0.025),
        ("imagenet", {"batch_size": 1024}, 0.4),
        ("imagenet", {"batch_size": 1024, "learning_rate": 0.3}, 0.3),
        ("paper", {"batch_size": 1024}, 0.1),
        ("torch", {"batch_size": 64}, 0.1),
    ],
)
def test_only_imagenet_scales_the_rate_with_the_batch(recipe, given, expected):
    schedule = training.schedule(recipe, 9, **given)
    assert float(schedule(1)) == pytest.approx(expected)
    assert float(schedule(8)) == pytest.approx(expected / 100)
    compiled = tiny()
    training.compile(compiled, recipe, total_steps=9, **given)
    rate = compiled.optimizer.get_config()["learning_rate"]["config"]["values"]
    assert rate[0] == pytest.approx(expected)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="'adam'.*'paper', 'torch'"):
        training.optimizer("adam", 10)
    with pytest.raises(ValueError, match="at least 1; received 0"):
        training.schedule("paper", 0)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_compile_takes_the_loss_that_fits(activation):
    model = tiny(classifier_activation=activation)
    training.compile(model, "paper", total_steps=10)
    assert type(model.loss) is keras.losses.SparseCategoricalCrossentropy
    assert model.loss.get_config()["from_logits"] == (activation is None)


def test_compile_refuses_what_is_no_classifier():
    model = tiny(include_top=False)
    with pytest.raises(ValueError, match="head_relu.*include_top=True"):
        training.compile(model, "paper", total_steps=10)


def test_float16_scales_the_loss_by_itself():
    keras.config.set_dtype_policy("mixed_float16")
    model = tiny()
    training.compile(
        model, "paper", total_steps=10, backbone_learning_rate=1e-9
    )
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")
    layers = [model.get_layer(n) for n in ("stem_conv", "predictions")]
    before = [np.array(layer.kernel) for layer in layers]
    model.fit(x, np.arange(8), verbose=0)
    moved = [
        np.abs(np.array(layer.kernel) - old).max()
        for layer, old in zip(layers, before)
    ]
    # Two rates reach the optimizer inside, too.
    assert moved[0] < 1e-6 < 1e-3 < moved[1]


@pytest.mark.parametrize("activation", ["softmax", None])
def test_compile_smooths_the_labels(activation, tmp_path):
    model = tiny(classifier_activation=activation)
    training.compile(model, "paper", total_steps=10, label_smoothing=0.1)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    labels = np.arange(4)
    loss, _ = model.evaluate(x, labels, verbose=0)
    expected = keras.losses.CategoricalCrossentropy(
        from_logits=activation is None, label_smoothing=0.1
    )(np.eye(10)[labels], model(x))
    assert loss == pytest.approx(float(expected), abs=1e-6)
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert loaded.loss.get_config() == model.loss.get_config()
    again, _ = loaded.evaluate(x, labels, verbose=0)
    assert again == pytest.approx(loss, abs=1e-6)


def test_two_rates_are_relative_to_the_schedule():
    model = tiny()
    training.compile(
        model,
        "imagenet",
        total_steps=9,
        batch_size=64,
        backbone_learning_rate=0.0025,
    )
    factors = model.optimizer.learning_rate_factors
    assert factors == pytest.approx({"": 0.1, "predictions": 1.0})


@pytest.mark.parametrize("rate", [0.0, -0.1, float("nan")])
def test_bad_backbone_rates(rate):
    with pytest.raises(ValueError, match="backbone_learning_rate.*received"):
        training.compile(tiny(), total_steps=9, backbone_learning_rate=rate)


def test_two_rates_need_a_classifier_of_that_name():
    features = tiny(include_top=False, pooling="avg")
    outputs = keras.layers.Dense(3, name="head")(features.output)
    model = keras.Model(features.input, outputs, name="other")
    with pytest.raises(ValueError, match="other has no such layer.*that name"):
        training.compile(model, total_steps=9, backbone_learning_rate=0.01)
