import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import resource_variable_ops

from keras_resnetv2 import ResNet, ResNetConfig, ResNetV2, training

CONFIG = ResNetConfig(units_per_stage=(1,), widths=(4,))
IMAGES = np.random.default_rng(0).normal(size=(10, 8, 8, 3)).astype("float32")
LABELS = np.arange(10)


class PlainKeras(ResNet):
    """Trains by Keras's own functions."""

    make_train_function = keras.Model.make_train_function
    make_test_function = keras.Model.make_test_function


def compiled(kind=ResNet, **kwargs):
    keras.utils.set_random_seed(0)
    net = ResNetV2(CONFIG, input_shape=(8, 8, 3), classifier_activation=None)
    model = kind(net.input, net.output)
    training.compile(model, total_steps=100, **kwargs)
    return model


def with_none():
    while True:
        yield IMAGES[:5], LABELS[:5], None


@pytest.mark.parametrize(
    "data, compiling",
    [
        ({"x": IMAGES, "y": LABELS, "batch_size": 4}, {}),
        ({"x": IMAGES, "y": LABELS, "batch_size": 4}, {"run_eagerly": True}),
        (
            {"x": IMAGES, "y": LABELS, "batch_size": 2},
            {"steps_per_execution": 2},
        ),
        ({"x": with_none, "steps_per_epoch": 2}, {}),
    ],
    ids=["uneven batches", "eager", "several steps", "None"],
)
def test_trains_and_tests_as_keras_does(data, compiling):
    histories, weights = [], []
    for kind in (PlainKeras, ResNet):
        model = compiled(kind, **compiling)
        given = dict(data)
        if callable(given["x"]):
            given["x"] = given["x"]()
        history = model.fit(
            **given,
            epochs=2,
            shuffle=False,
            validation_data=(IMAGES[:7], LABELS[:7]),
            verbose=0,
        )
        histories.append(history.history)
        weights.append(model.get_weights())
    assert histories[0] == histories[1]
    for one, other in zip(*weights):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind, times", [(PlainKeras, 2), (ResNet, 1)])
def test_a_step_is_traced_once_and_in_one_function(kind, times):
    """TensorFlow traces a step that makes variables again."""
    model = compiled(kind)
    model.make_train_function()
    nested = []
    compute_loss = model.compute_loss

    def noting(*args, **kwargs):
        outer = tf.compat.v1.get_default_graph().outer_graph
        nested.append(outer.building_function)
        return compute_loss(*args, **kwargs)

    model.compute_loss = noting
    model.fit(IMAGES, LABELS, verbose=0)
    assert nested == [kind is PlainKeras] * times


def test_variables_share_a_kernel(monkeypatch):
    """TensorFlow keeps one for each name that an operation is given."""
    names = set()
    make = resource_variable_ops.gen_resource_variable_ops.var_handle_op

    def noting(*args, **kwargs):
        names.add(kwargs["debug_name"])
        return make(*args, **kwargs)

    monkeypatch.setattr(
        resource_variable_ops.gen_resource_variable_ops, "var_handle_op", noting
    )
    ResNetV2(CONFIG)
    assert len(names) == 1


def test_layers_frozen_after_compile_stay_and_thawed_ones_train():
    model = compiled()
    conv = model.get_layer("stage1_unit1_conv1")
    conv.trainable = False
    frozen = conv.get_weights()[0]
    model.fit(IMAGES, LABELS, verbose=0)
    np.testing.assert_array_equal(conv.get_weights()[0], frozen)
    conv.trainable = True
    training.compile(model, total_steps=100)
    model.fit(IMAGES, LABELS, verbose=0)
    assert np.abs(conv.get_weights()[0] - frozen).max() > 1e-6


def test_variables_keep_their_names(tmp_path):
    model = compiled()
    model.make_train_function()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    plain = keras.models.clone_model(model)
    for net in (model, loaded):
        assert [v.value.name for v in net.variables] == [
            v.value.name for v in plain.variables
        ]
    training.compile(plain, total_steps=100)
    plain.optimizer.build(plain.trainable_variables)
    names, plain_names = (
        [v.value.name.partition("/")[2] for v in net.optimizer.variables]
        for net in (model, plain)
    )
    assert names == plain_names


def test_a_network_may_be_built_in_a_function():
    """TensorFlow lifts its variables out of the function."""

    @tf.function
    def logits(x):
        if not nets:
            nets.append(ResNetV2(CONFIG, input_shape=(8, 8, 3)))
        return nets[0](x)

    nets = []
    answer = logits(IMAGES)
    np.testing.assert_allclose(answer, nets[0](IMAGES), atol=1e-6)


def test_a_network_may_be_built_in_a_graph():
    with tf.Graph().as_default():
        net = ResNetV2(CONFIG, input_shape=(8, 8, 3))
        assert net(tf.zeros((2, 8, 8, 3))).shape == (2, 10)


class WithTemperature(ResNet):
    """Trains a variable that is not the network's."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits = self(x, training=True) / self.temperature
            loss = self.compute_loss(y=y, y_pred=logits)
        variables = [*self.trainable_variables, self.temperature]
        gradients = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.apply_gradients(zip(gradients, variables))
        return {"loss": loss}


def test_a_train_step_may_train_more(monkeypatch):
    net = compiled()
    model = WithTemperature(net.input, net.output)
    temperature = keras.Variable(1.0)
    monkeypatch.setattr(
        WithTemperature, "temperature", temperature, raising=False
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(training.SGD(0.1), loss)
    model.fit(IMAGES, LABELS, verbose=0)
    assert float(temperature) != 1.0


class WithoutOptimizer(ResNet):
    def train_step(self, data):
        return {"mean": tf.reduce_mean(self(data[0]))}


def test_a_train_step_may_need_no_optimizer():
    net = compiled()
    model = WithoutOptimizer(net.input, net.output)
    model.compile(optimizer=None)
    assert "mean" in model.fit(IMAGES, LABELS, verbose=0).history
