import numpy as np
import pytest

from keras_resnetv2 import ResNetConfig, ResNetV2, training
from keras_resnetv2.export.precision import stored_dtypes, with_precision


def build(precision, **kwargs):
    with training.precision(precision):
        return ResNetV2(ResNetConfig(depth=8, **kwargs))


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
