import keras
import numpy as np
import pytest

from keras_resnetv2 import ResNetConfig, ResNetV2
from keras_resnetv2.models.layers import Dropout

UNITS = ["stage1_unit1", "stage1_unit2", "stage2_unit1", "stage2_unit2"]


def tiny(**kwargs):
    config = ResNetConfig(
        units_per_stage=(2, 2), widths=(4, 8), classes=3, **kwargs
    )
    return ResNetV2(config, input_shape=(8, 8, 3))


def images(count):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 8, 8, 3)).astype("float32")


def drops(model):
    return {
        layer.name: layer.rate
        for layer in model.layers
        if isinstance(layer, Dropout)
    }


def test_off_adds_no_layer():
    names = [layer.name for layer in tiny().layers]
    assert names == [layer.name for layer in tiny(stochastic_depth=0.0).layers]
    assert not drops(tiny())


def test_every_unit_has_its_rate_and_inference_is_unchanged():
    plain, dropped = tiny(), tiny(stochastic_depth=0.8)
    assert list(drops(dropped)) == [f"{unit}_residual_drop" for unit in UNITS]
    assert list(drops(dropped).values()) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert dropped.count_params() == plain.count_params()
    for layer in plain.layers:
        dropped.get_layer(layer.name).set_weights(layer.get_weights())
    x = images(4)
    np.testing.assert_array_equal(np.array(dropped(x)), np.array(plain(x)))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_an_images_branch_is_dropped_or_scaled_as_a_whole(policy):
    keras.config.set_dtype_policy(policy)
    model = tiny(stochastic_depth=0.75)
    drop = model.get_layer("stage2_unit2_residual_drop")
    tap = keras.Model(model.input, [drop.input, drop.output])
    before, after = (
        np.array(keras.ops.cast(t, "float32"))
        for t in tap(images(256), training=True)
    )
    # bfloat16 keeps 8 bits.
    tolerance = {"float32": 1e-6, "mixed_bfloat16": 2**-7}[policy]
    kept = np.any(after != 0, axis=(1, 2, 3))
    np.testing.assert_allclose(
        after, 4.0 * kept[:, None, None, None] * before, rtol=tolerance
    )
    # 64 are expected, 7 is the standard deviation; F's expectation is F.
    assert 36 < kept.sum() < 92


@pytest.mark.parametrize(
    "shortcut, behind",
    [
        ("identity", "conv2"),
        ("constant_scaling", "residual_scale"),
        ("exclusive_gating", "residual_gated"),
        ("dropout", "conv2"),
    ],
)
def test_it_is_last_on_the_branch(shortcut, behind):
    model = tiny(shortcut=shortcut, stochastic_depth=0.5)
    drop = model.get_layer("stage2_unit2_residual_drop")
    add = model.get_layer("stage2_unit2_out")
    assert drop.input is model.get_layer(f"stage2_unit2_{behind}").output
    assert add.input[1] is drop.output


def test_it_survives_saving(tmp_path):
    model = tiny(stochastic_depth=0.5)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert drops(loaded) == drops(model)
    x = images(4)
    np.testing.assert_allclose(np.array(loaded(x)), np.array(model(x)))
    # The rates are no weights: a net without takes them.
    path = str(tmp_path / "net.weights.h5")
    model.save_weights(path)
    config = ResNetConfig(units_per_stage=(2, 2), widths=(4, 8), classes=3)
    plain = ResNetV2(config, input_shape=(8, 8, 3), weights=path)
    np.testing.assert_allclose(np.array(plain(x)), np.array(model(x)))
