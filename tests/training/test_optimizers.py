"""Both forms of momentum against the update rules written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_resnetv2 import training

RATES = [0.1] * 4 + [0.01] * 4 + [0.001] * 4  # two changes of the rate
DECAY = 0.05


def gradients():
    return np.random.default_rng(0).normal(size=(len(RATES), 3))


def keras_trajectory(make_optimizer):
    keras.config.set_floatx("float64")
    try:
        weight = keras.Variable(np.ones(3), dtype="float64")
        optimizer = make_optimizer()
        path = []
        for gradient in gradients():
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
            path.append(np.array(weight))
        return np.array(path)
    finally:
        keras.config.set_floatx("float32")


def caffe_trajectory(nesterov, rates=RATES):
    """SGDSolver: V = m V + rate (g + decay w); W -= V."""
    w, v, path = np.ones(3), np.zeros(3), []
    for rate, g in zip(rates, gradients()):
        g = g + DECAY * w
        v = 0.9 * v + rate * g
        w = w - (0.9 * v + rate * g if nesterov else v)
        path.append(w)
    return np.array(path)


def torch_trajectory(nesterov, rates=RATES):
    """torch.optim.SGD: V = m V + g + decay w; W -= rate V."""
    w, v, path = np.ones(3), np.zeros(3), []
    for rate, g in zip(rates, gradients()):
        g = g + DECAY * w
        v = 0.9 * v + g
        w = w - rate * (g + 0.9 * v if nesterov else v)
        path.append(w)
    return np.array(path)


TRAJECTORIES = {"caffe": caffe_trajectory, "torch": torch_trajectory}


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("form", TRAJECTORIES)
def test_trajectory_across_two_rate_changes(form, nesterov):
    actual = keras_trajectory(
        lambda: training.SGD(
            keras.optimizers.schedules.PiecewiseConstantDecay(
                [3, 7], [0.1, 0.01, 0.001]
            ),
            momentum_form=form,
            nesterov=nesterov,
            weight_decay=DECAY,
        )
    )
    # float64 but for the rate itself, which Keras's schedules keep in float32.
    np.testing.assert_allclose(actual, TRAJECTORIES[form](nesterov), rtol=1e-6)


def test_the_two_forms_part_where_the_rate_changes():
    caffe, torch = (TRAJECTORIES[form](True) for form in ("caffe", "torch"))
    np.testing.assert_allclose(caffe[:4], torch[:4])
    assert np.abs(caffe[4:] - torch[4:]).max() > 0.01


# Twelve steps: the drops of "paper" at 1/2 and 3/4 (its warm-up is less than
# a step), those of "torch" at 81/200 and 122/200.
RECIPES = {
    "paper": caffe_trajectory(False, [0.1] * 6 + [0.01] * 3 + [0.001] * 3),
    "torch": torch_trajectory(True, [0.1] * 5 + [0.01] * 2 + [0.001] * 5),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_trajectory_across_both_drops(recipe):
    actual = keras_trajectory(
        lambda: training.optimizer(
            recipe, total_steps=len(RATES), weight_decay=DECAY
        )
    )
    np.testing.assert_allclose(actual, RECIPES[recipe], rtol=1e-6)
    default = training.optimizer(recipe, total_steps=100)
    assert default.coupled_weight_decay == 1e-4


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("form", TRAJECTORIES)
def test_velocity_means_the_same_on_every_backend(form, nesterov, monkeypatch):
    def run():
        weight = keras.Variable(np.ones(3, "float32"))
        optimizer = training.SGD(
            0.1, momentum_form=form, nesterov=nesterov, weight_decay=DECAY
        )
        for gradient in gradients()[:3].astype("float32"):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        return np.array(weight), np.array(optimizer.momentums[0])

    here = run()
    monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    for mine, others in zip(here, run()):
        np.testing.assert_allclose(mine, others, rtol=1e-6)


def test_weight_decay_is_coupled():
    # Three steps without a gradient: 0.944 where decoupled gives 0.970.
    weight = keras.Variable(np.ones(1, "float32"))
    optimizer = training.SGD(0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.apply([keras.ops.zeros(1)], [weight])
    np.testing.assert_allclose(np.array(weight), 0.944379, atol=1e-6)


def test_excluded_variables_do_not_decay():
    kernel, beta = (
        keras.Variable(np.ones(1, "float32"), name=name)
        for name in ("kernel", "beta")
    )
    optimizer = training.SGD(0.1, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["beta"])
    optimizer.apply([keras.ops.zeros(1)] * 2, [kernel, beta])
    np.testing.assert_allclose(np.array(kernel), 0.99)
    np.testing.assert_allclose(np.array(beta), 1.0)


FACTORS = {"": 0.5, "stage1_": 0.1, "stage1_unit2": 2.0}
FACTOR_OF = {
    "stem_conv/kernel": 0.5,
    "stage1_unit1_conv1/kernel": 0.1,
    "stage1_unit2_conv1/kernel": 2.0,
    "net/stage1_unit1_conv1/kernel": 0.1,
    "net/last_stage1_conv/kernel": 0.5,
}


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("form", TRAJECTORIES)
def test_factors_are_on_each_layers_rate(form, nesterov):
    weights = []
    for path in FACTOR_OF:
        weights.append(keras.Variable(np.ones(3), dtype="float64"))
        weights[-1]._path = path
    optimizer = training.SGD(
        keras.optimizers.schedules.PiecewiseConstantDecay(
            [3, 7], [0.1, 0.01, 0.001]
        ),
        momentum_form=form,
        nesterov=nesterov,
        weight_decay=DECAY,
        learning_rate_factors=FACTORS,
    )
    for gradient in gradients():
        gradient = keras.ops.convert_to_tensor(gradient)
        optimizer.apply([gradient] * len(weights), weights)
    for weight, factor in zip(weights, FACTOR_OF.values()):
        rates = [factor * rate for rate in RATES]
        np.testing.assert_allclose(
            np.array(weight),
            TRAJECTORIES[form](nesterov, rates)[-1],
            rtol=1e-6,
            err_msg=weight.path,
        )


def test_factors_without_momentum_and_where_none_fits():
    layers = [keras.layers.Dense(1, name=name) for name in ("new", "old")]
    for layer in layers:
        layer.build((None, 1))
        layer.kernel.assign([[1.0]])
    optimizer = training.SGD(
        1.0, momentum=0.0, learning_rate_factors={"old": 0.1}
    )
    optimizer.apply(
        [keras.ops.ones((1, 1))] * 2, [layer.kernel for layer in layers]
    )
    np.testing.assert_allclose(np.array(layers[0].kernel), 0.0)
    np.testing.assert_allclose(np.array(layers[1].kernel), 0.9)


def test_a_factor_that_fits_nothing_is_refused():
    layer = keras.layers.Dense(1, name="predictions")
    layer.build((None, 1))
    optimizer = training.SGD(learning_rate_factors={"prediction_": 0.1})
    with pytest.raises(ValueError, match="'prediction_'.*predictions/kernel"):
        optimizer.build(layer.trainable_variables)


def test_config_round_trip():
    optimizer = training.optimizer(
        "torch",
        total_steps=50,
        weight_decay=0.01,
        learning_rate_factors={"stage1_": 0.1, "": 0.5},
    )
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == optimizer.get_config()
    assert type(again) is training.SGD


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"momentum_form": "lua"}, "'lua'.*'caffe'"),
        ({"weight_decay": -1.0}, "weight_decay must be a number, at least 0"),
        ({"learning_rate_factors": {"stem_": 0}}, "'stem_'.*larger than 0"),
        ({"learning_rate_factors": {"stem_": "1"}}, "a finite number"),
    ],
)
def test_bad_arguments(kwargs, says):
    with pytest.raises(ValueError, match=says):
        training.SGD(**kwargs)


@pytest.mark.parity
@pytest.mark.parametrize("nesterov", [False, True])
def test_torch_form_is_torchs(nesterov):
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.SGD(
        [weight], 0.1, momentum=0.9, weight_decay=DECAY, nesterov=nesterov
    )
    path = []
    for rate, gradient in zip(RATES, gradients()):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(weight.detach().numpy().copy())
    np.testing.assert_allclose(torch_trajectory(nesterov), path, rtol=1e-12)
