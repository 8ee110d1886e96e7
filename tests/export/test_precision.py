import keras
import numpy as np
import pytest

from keras_resnetv2 import ResNetConfig, ResNetV2, training
from keras_resnetv2._origin import all_layers
from keras_resnetv2.export.precision import stored_dtypes, with_precision


def build(precision, include_preprocessing=False, **kwargs):
    with training.precision(precision):
        return ResNetV2(
            ResNetConfig(depth=8, **kwargs),
            include_preprocessing=include_preprocessing,
        )


@pytest.mark.parametrize(
    "trained", ["float32", "mixed_bfloat16", "mixed_float16", "float64"]
)
@pytest.mark.parametrize(
    "policy, dtype", [("float32", "float32"), ("mixed_bfloat16", "bfloat16")]
)
def test_same_weights_in_another_precision(trained, policy, dtype):
    model = build(trained, shortcut="exclusive_gating")
    other = with_precision(model, policy)
    kernels = {
        layer.name: layer.compute_dtype
        for layer in other.layers
        if layer.weights
    }
    assert kernels.pop("predictions") == "float32"
    assert set(kernels.values()) == {dtype}
    for new, old in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(new, old.astype("float32"))


def test_what_is_right_already_is_not_cloned():
    model = build("float32")
    assert with_precision(model, "float32") is model
    model = build("mixed_bfloat16")
    assert with_precision(model, "mixed_bfloat16") is model


def test_kernels_are_stored_as_they_are_used():
    model = with_precision(build("float32"), "mixed_bfloat16")
    found = {
        weight.path: dtype
        for weight, dtype in zip(model.weights, stored_dtypes(model))
    }
    halved = {path for path, dtype in found.items() if dtype == "bfloat16"}
    assert halved == {
        path
        for path in found
        if path.endswith("kernel") and "predictions" not in path
    }
    assert set(stored_dtypes(build("float32"))) == {"float32"}


def behind(*layers):
    x = inputs = keras.Input((32, 32, 3))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def headless(**kwargs):
    return ResNetV2(ResNetConfig(depth=8), include_top=False, **kwargs)


def head():
    return keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, name="dense"),
        ]
    )


@pytest.mark.parametrize(
    "build, exact",
    [
        (
            lambda: behind(
                headless(pooling="avg"), keras.layers.Dense(3, name="dense")
            ),
            ["dense"],
        ),
        (lambda: behind(headless(), head()), ["dense"]),
        (lambda: behind(build("float32")), ["predictions"]),
        (
            lambda: behind(behind(build("float32")), keras.ops.softmax),
            ["predictions"],
        ),
        (
            lambda: build("float32", include_preprocessing="cifar10"),
            ["predictions", "preprocessing"],
        ),
    ],
    ids=["with a head", "Sequential head", "whole", "twice", "preprocessing"],
)
def test_a_network_within_another_is_halved(build, exact):
    model = build()
    other = with_precision(model, "mixed_bfloat16")
    layers = {layer.name: layer for layer in all_layers(other)}
    for name in exact:
        assert layers.pop(name).compute_dtype == "float32"
    halved = [layer for layer in layers.values() if layer.weights]
    assert {layer.compute_dtype for layer in halved} == {"bfloat16"}
    for new, old in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    np.testing.assert_allclose(other(images), model(images), atol=0.1)


class Weighted(keras.layers.Layer):
    """Hands nothing on in its config."""

    def __init__(self, name="weighted"):
        super().__init__(name=name)

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"name": self.name}


class Convolved(keras.layers.Layer):
    """Has a layer of float32, whatever it is itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(3, 1)

    def call(self, x):
        return self.conv(x)


@pytest.mark.parametrize("layer", [Weighted, Convolved])
def test_a_layer_that_stays_as_it_is_is_named(layer):
    model = behind(layer(name="own"), headless(), head())
    assert with_precision(model, "float32") is model
    with pytest.raises(ValueError, match="'own' of class .* to bfloat16"):
        with_precision(model, "mixed_bfloat16")
