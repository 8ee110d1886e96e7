import gc
import math

import keras
import keras_tuner
import numpy as np
import pytest
from processes import run_python
from small_training import UNIT

from keras_resnetv2 import data, training, tuning
from keras_resnetv2.training.compiling import schedule_of
from keras_resnetv2.training.evaluation import loss_and_error, predict_logits
from keras_resnetv2.tuning import hypermodel as hypermodel_lib

STEPS = 3  # an epoch, of 64 of 150 images
UINT8 = np.zeros((9, 32, 32, 3), np.uint8)
ZEROS = np.zeros(9, np.int32)


def base(**fields):
    return training.Experiment(
        "PreActResNet20",
        "fake",
        **{
            "options": UNIT,
            "epochs": 1,
            "batch_size": 64,
            "standardization": "cifar10",
            **fields,
        },
    )


def hypermodel(space=None, fields=None, **options):
    space = {"learning_rate": (0.01, 0.3)} if space is None else space
    options = {"search": (), **options}
    return tuning.ResNetV2HyperModel(base(**fields or {}), space, **options)


@pytest.fixture(scope="module")
def images():
    fake = data.load_arrays("fake")
    held_out = data.load_arrays("fake", "test")
    return fake.take(150), held_out.take(70)


@pytest.fixture
def builds(monkeypatch):
    """The configs of all networks that are built."""
    built = []
    build = hypermodel_lib.ResNetV2

    def noting(config, **options):
        built.append(config)
        return build(config, **options)

    monkeypatch.setattr(hypermodel_lib, "ResNetV2", noting)
    return built


def random_search(model, directory, trials, **options):
    tuner = keras_tuner.RandomSearch(
        model,
        objective=keras_tuner.Objective("val_error", "min"),
        max_trials=trials,
        directory=directory,
        seed=1,
        **options,
    )
    tuner.oracle.verbose = 0
    return tuner


def test_a_failing_trial_is_recorded_and_the_search_goes_on(
    images, tmp_path, builds
):
    train, held_out = images
    model = hypermodel({"learning_rate": [1e30, 0.1]})
    tuner = random_search(model, tmp_path, 2)
    assert len(builds) == 1  # keras-tuner's look at the space
    tuner.search(train, validation_data=held_out)
    trials = list(tuner.oracle.trials.values())
    assert len(trials) == 2
    for trial in trials:
        diverges = trial.hyperparameters["learning_rate"] == 1e30
        assert trial.status == ("FAILED" if diverges else "COMPLETED")
        assert ("has diverged" in (trial.message or "")) == diverges
    rows = tuning.trial_rows(trials, model.search_space)
    assert tuning.best(rows).error == min(t.score for t in trials if t.score)

    # The weights that keras-tuner keeps are those that were judged.
    [net] = tuner.get_best_models()
    logits = predict_logits(
        net, held_out, data.STANDARDIZATIONS["cifar10"], batch_size=70
    )
    error = loss_and_error(logits, held_out.labels)["error"]
    assert error == tuning.best(rows).error


class StopAfterAnEpoch(keras.callbacks.Callback):
    epochs = []  # of all copies, which keras-tuner makes

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.model.stop_training = True


def test_a_callback_may_stop_a_trial(images, tmp_path):
    train, held_out = images
    tuner = random_search(hypermodel(fields={"epochs": 3}), tmp_path, 1)
    tuner.search(
        train, validation_data=held_out, callbacks=[StopAfterAnEpoch()]
    )
    [trial] = tuner.oracle.trials.values()
    assert trial.status == "COMPLETED" and trial.message is None
    [net] = tuner.get_best_models()
    assert StopAfterAnEpoch.epochs == [0]
    logits = predict_logits(
        net, held_out, data.STANDARDIZATIONS["cifar10"], batch_size=70
    )
    assert trial.score == loss_and_error(logits, held_out.labels)["error"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({"validation_split": 0.1}, "not take validation_split.*data.hold_out"),
        ({"validation_data": None}, "received None. Hold images out"),
        ({"batch_size": 32}, r"batch_size=32. Set it in the base"),
        ({"shuffle": True}, "not take shuffle; received shuffle=True"),
        ({"validation_freq": 2}, "not take validation_freq.*Omit it"),
        ({"x": np.zeros((150, 32, 32, 3))}, "received only ndarray"),
        ({"x": np.zeros((150, 32, 32, 3)), "y": np.zeros(150)}, "uint8"),
        ({"x": UINT8, "y": np.full((9, 10), 0.1)}, "one-hot.*label_smoothing"),
        ({"x": UINT8, "y": np.full(9, 0.5)}, "must be integers"),
        ({"x": UINT8, "y": np.full(9, 10)}, "Labels must be in 0..9"),
        ({"x": UINT8, "y": np.full(9, "cat")}, "integers, 0 to 9.*<U3"),
        ({"validation_data": (UINT8, np.zeros(9), np.ones(9))}, "tuple of 3"),
        ({"x": UINT8[:, :24, :24], "y": np.zeros(9)}, r"of shape \(24, 24, 3"),
        ({"validation_data": (UINT8[:, 1:], np.zeros(9))}, "input_shape="),
        (
            {"x": data.ImageData(UINT8, ZEROS, ("a",) * 11)},
            "3\\) in 11.*classes=",
        ),
        (
            {"class_weight": [1.0] * 10},
            r"must be a dict from labels \(0 to 9\)",
        ),
        ({"class_weight": {10: 1.0}}, "received {10: 1.0}"),
        ({"epochs": "3"}, "epochs must be a whole number.*'3'"),
        ({"callbacks": [print]}, "must be keras.callbacks.Callback"),
        (
            {"callbacks": [keras.callbacks.ReduceLROnPlateau()]},
            "sets the learning rate; ReduceLROnPlateau",
        ),
    ],
)
def test_what_does_not_fit_ends_the_search(arguments, says, images):
    train, held_out = images
    arguments = {"x": train, "validation_data": held_out, **arguments}
    with pytest.raises(keras_tuner.errors.FatalValueError, match=says):
        hypermodel().fit(keras_tuner.HyperParameters(), None, **arguments)


def test_what_fails_within_the_training_ends_the_search(images):
    train, held_out = images
    model = hypermodel()
    hp = keras_tuner.HyperParameters()
    net = model.build(hp)
    fatal = keras_tuner.errors.FatalValueError
    with pytest.raises(fatal, match="63 images, fewer than one batch of 64"):
        model.fit(hp, net, train.take(63), validation_data=held_out)
    stopping = keras.callbacks.EarlyStopping("val_error")
    given = {"validation_data": held_out, "callbacks": [stopping]}
    with pytest.raises(fatal, match="Pass `mode='max'`"):
        model.fit(hp, net, train.take(64), **given)


def test_an_argument_fails_no_trial(images, tmp_path):
    train, held_out = images
    tuner = random_search(hypermodel(), tmp_path, 2)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="batch_size"):
        tuner.search(train, validation_data=held_out, batch_size=32)


def test_nothing_above_the_budget_is_built(images, tmp_path, builds):
    train, held_out = images
    model = hypermodel({"width": [8, 64]}, max_parameters=20_000)
    tuner = random_search(model, tmp_path, 2)
    tuner.search(train, validation_data=held_out)
    messages = {
        trial.hyperparameters["width"]: trial.message
        for trial in tuner.oracle.trials.values()
    }
    assert messages[8] is None
    assert "parameters, above the budget of 20,000" in messages[64]
    assert {config.widths for config in builds} == {(8,)}


def test_hyperband_goes_on_with_the_best(images, tmp_path):
    train, held_out = images
    seen = []

    class Noting(tuning.ResNetV2HyperModel):
        def fit(self, hp, model, *args, **kwargs):
            before = keras.ops.convert_to_numpy(model.trainable_variables[0])
            result = super().fit(hp, model, *args, **kwargs)
            after = keras.ops.convert_to_numpy(model.trainable_variables[0])
            steps = int(model.optimizer.iterations)
            seen.append((dict(hp.values), before, after, steps))
            return result

    model = Noting(base(), {"learning_rate": (0.01, 0.3)}, search=())
    tuner = keras_tuner.Hyperband(
        model,
        objective=keras_tuner.Objective("val_error", "min"),
        max_epochs=2,
        factor=2,
        directory=tmp_path,
        seed=1,
    )
    tuner.oracle.verbose = 0
    tuner.search(train, validation_data=held_out)
    later = [row for row in seen if row[0].get("tuner/initial_epoch")]
    assert later
    for values, before, _, steps in later:
        assert steps == values["tuner/epochs"] * STEPS
        [earlier] = [
            after
            for other, _, after, _ in seen
            if other["learning_rate"] == values["learning_rate"]
            and other["tuner/epochs"] == values["tuner/initial_epoch"]
        ]
        np.testing.assert_array_equal(before, earlier)


def test_the_schedule_is_scaled_to_the_trials_epochs(images):
    train, held_out = images
    model = hypermodel()
    hp = keras_tuner.HyperParameters()
    net = model.build(hp)
    model.fit(hp, net, train, validation_data=held_out, epochs=4)
    assert int(net.optimizer.iterations) == 4 * STEPS
    rate = schedule_of(net.optimizer)
    # Of 12 steps the 6th and the 9th are at the drops of "paper".
    rates = [round(float(rate(step)), 6) for step in (5, 6, 8, 9)]
    assert rates == [0.1, 0.01, 0.01, 0.001]


def test_an_average_begins_with_the_weights(images):
    train, held_out = images
    rates = {"learning_rate": [1e-9, 1e-8]}
    model = hypermodel(rates, {"ema": 0.999})
    hp = keras_tuner.HyperParameters()
    net = model.build(hp)
    before = net.get_weights()
    model.fit(
        hp, net, train, validation_data=held_out, epochs=4, initial_epoch=2
    )
    for variable, value in zip(net.weights, before):
        if "moving" not in variable.path:
            np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6)


def test_arrays_are_taken_as_well(images):
    train, held_out = images
    results = []
    for given in (
        {"x": train, "validation_data": held_out},
        {
            "x": train.images,
            "y": keras.utils.to_categorical(train.labels, 10),
            "validation_data": (held_out.images, held_out.labels),
        },
    ):
        model = hypermodel()
        hp = keras_tuner.HyperParameters()
        results.append(model.fit(hp, model.build(hp), **given))
    assert results[0] == results[1]
    assert set(results[0]) == {"val_error", "val_accuracy", "val_loss"}
    with pytest.raises(ValueError, match="images and labels"):
        model.fit(hp, model.build(hp), train.images, validation_data=held_out)


def test_the_network_is_the_trials(images):
    model = hypermodel(
        {"shortcut": ["dropout"], "dropout_rate": 0.25},
        fields={"precision": "mixed_bfloat16"},
        classes=7,
        input_shape=(24, 24, 3),
    )
    net = model.build(keras_tuner.HyperParameters())
    assert net.input_shape == (None, 24, 24, 3)
    assert net.output_shape == (None, 7)
    assert net.get_layer("stage1_unit1_shortcut_dropout").rate == 0.25
    assert net.get_layer("stem_conv").compute_dtype == "bfloat16"


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's graphs"
)
def test_a_trained_network_leaves_no_graph_behind(images):
    # Keras's optimizer, on one device, leaks one a network.
    from tensorflow.python.framework.func_graph import FuncGraph

    train, held_out = images
    model = hypermodel()

    def graphs():
        hp = keras_tuner.HyperParameters()
        model.fit(hp, model.build(hp), train, validation_data=held_out)
        keras.backend.clear_session()
        gc.collect()
        return sum(isinstance(o, FuncGraph) for o in gc.get_objects())

    assert graphs() == graphs()


MEMORY = """
import sys, keras_tuner
from keras_resnetv2 import data, training, tuning

class Search(keras_tuner.RandomSearch):
    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        with open("/proc/self/status") as file:
            [line] = [line for line in file if line.startswith("VmRSS")]
        print("MiB", int(line.split()[1]) // 1024)

train = data.load_arrays("fake").take(192)
base = training.Experiment(
    "PreActResNet20", "fake", epochs=1, batch_size=64
)
space = {"depth": (8, 20), "width": (8, 16), "learning_rate": (0.01, 0.3)}
tuner = Search(
    tuning.ResNetV2HyperModel(base, space, search=()),
    objective=keras_tuner.Objective("val_error", "min"),
    max_trials=20, directory=sys.argv[1], seed=1)
tuner.oracle.verbose = 0
tuner.search(train, validation_data=train.take(64))
"""


@pytest.mark.large
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's graphs"
)
def test_memory_does_not_grow(tmp_path):
    lines = run_python(MEMORY, tmp_path).splitlines()
    used = [int(line.split()[1]) for line in lines if line.startswith("MiB")]
    assert len(used) == 20
    assert used[19] <= 1.15 * used[2], used


REPLICAS = """
import sys, keras_tuner, tensorflow as tf
from keras_resnetv2 import data, training, tuning

strategy = training.make_strategy(int(sys.argv[1]))
train = data.load_arrays("fake")
base = training.Experiment(
    "PreActResNet20", "fake", epochs=2, batch_size=64, learning_rate=0.01,
    options={"depth": 8, "batch_normalization": "synchronized"},
)
tuner = keras_tuner.RandomSearch(
    tuning.ResNetV2HyperModel(base, {"width": [8, 16]}, search=()),
    objective=keras_tuner.Objective("val_loss", "min"),
    max_trials=2, directory=sys.argv[2], seed=1,
    distribution_strategy=strategy)
tuner.oracle.verbose = 0
tuner.search(train.take(256), validation_data=train.take(75))
for trial in sorted(tuner.oracle.trials.values(), key=lambda t: t.trial_id):
    print("loss", trial.status, trial.score)
"""


@pytest.mark.multiprocess
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute"
)
def test_two_replicas_find_what_one_device_finds(tmp_path):
    found = []
    for replicas in (1, 2):
        text = run_python(REPLICAS, replicas, tmp_path / str(replicas))
        lines = [line.split() for line in text.splitlines() if "loss" in line]
        assert [line[1] for line in lines] == ["COMPLETED"] * 2
        found.append([float(line[2]) for line in lines])
    assert all(map(math.isfinite, found[0]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)
