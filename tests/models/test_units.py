"""The order of operations, read off built units, against Fig. 2 and Fig. 4."""

import itertools

import keras
import numpy as np
import pytest

from keras_resnetv2 import ResNetConfig, ResNetV2
from keras_resnetv2.models.configs import CHOICES

# Fig. 4, written out for a basic unit: the residual branch, then what follows
# the addition.
FIG4_BASIC = {
    "original": "conv bn relu conv bn | relu",
    "bn_after_addition": "conv bn relu conv | bn relu",
    "relu_before_addition": "conv bn relu conv bn relu |",
    "relu_only_preactivation": "relu conv bn relu conv bn |",
    "full_preactivation": "bn relu conv bn relu conv |",
}
FIG4_BOTTLENECK = {
    "original": "conv bn relu conv bn relu conv bn | relu",
    "bn_after_addition": "conv bn relu conv bn relu conv | bn relu",
    "relu_before_addition": "conv bn relu conv bn relu conv bn relu |",
    "relu_only_preactivation": "relu conv bn relu conv bn relu conv bn |",
    "full_preactivation": "bn relu conv bn relu conv bn relu conv |",
}
FIG4_SINGLE = {
    "original": "conv bn | relu",
    "bn_after_addition": "conv | bn relu",
    "relu_before_addition": "conv bn relu |",
    "relu_only_preactivation": "relu conv bn |",
    "full_preactivation": "bn relu conv |",
}
FIG4 = {
    "basic": FIG4_BASIC,
    "bottleneck": FIG4_BOTTLENECK,
    "single": FIG4_SINGLE,
}
# Fig. 2: what stands on the shortcut, and behind the last BN or convolution.
SHORTCUTS = {
    "identity": ([], []),
    "constant_scaling": (["scale"], ["scale"]),
    "exclusive_gating": (["times"], ["times"]),
    "shortcut_only_gating": (["times"], []),
    "conv": (["conv"], []),
    "dropout": (["dropout"], []),
}
# Where the map shrinks: the shortcut branch from the raw signal x on.
TRANSITIONS = {
    ("original", "padding"): ["pad_channels"],
    ("original", "projection"): ["conv", "bn"],
    ("bn_after_addition", "padding"): ["pad_channels"],
    ("bn_after_addition", "projection"): ["conv"],
    ("relu_before_addition", "padding"): ["pad_channels"],
    ("relu_before_addition", "projection"): ["conv"],
    ("relu_only_preactivation", "padding"): ["pad_channels"],
    ("relu_only_preactivation", "projection"): ["relu", "conv"],
    ("full_preactivation", "padding"): ["pad_channels"],
    ("full_preactivation", "projection"): ["bn", "relu", "conv"],
}
# The average pooling has the stride, directly before the convolution.
TRANSITIONS |= {
    (order, "pooled_projection"): [
        *branch[: branch.index("conv")],
        "pool",
        *branch[branch.index("conv") :],
    ]
    for (order, change), branch in TRANSITIONS.items()
    if change == "projection"
}
KINDS = {
    "Conv2D": "conv",
    "BatchNormalization": "bn",
    "ReLU": "relu",
    "Add": "add",
    "AveragePooling2D": "pool",
    "Dropout": "dropout",
    "Multiply": "times",
    "Rescaling": "scale",
    "PaddingShortcut": "pad_channels",
}


def test_the_tables_have_every_name_of_an_option():
    assert set(FIG4) == set(CHOICES["unit"])
    orders = CHOICES["activation_order"]
    for of_unit in FIG4.values():
        assert set(of_unit) == set(orders)
    assert set(SHORTCUTS) == set(CHOICES["shortcut"])
    assert set(TRANSITIONS) == set(
        itertools.product(orders, CHOICES["dimension_change"])
    )


def tiny(**kwargs):
    config = ResNetConfig(
        **{
            "units_per_stage": (2, 2),
            "widths": (4, 8),
            "classes": 3,
            **kwargs,
        }
    )
    return ResNetV2(config, input_shape=(8, 8, 3))


def inputs_of(layer):
    parents = [
        t._keras_history.operation
        for t in layer._inbound_nodes[0].input_tensors
    ]
    # Explicit padding is part of its convolution.
    return [
        inputs_of(p)[0] if isinstance(p, keras.layers.ZeroPadding2D) else p
        for p in parents
    ]


def walk_back(layer, stop):
    """Kinds of the layers from behind `stop` up to `layer`, in order."""
    row = []
    while layer is not stop:
        row.append(KINDS[type(layer).__name__])
        layer = inputs_of(layer)[0]
    return row[::-1]


def unit_row(model, before, unit):
    """(residual branch, after the addition, shortcut branch) of a unit."""
    start = model.get_layer(before)
    layer, after = model.get_layer(f"{unit}_out"), []
    while not isinstance(layer, keras.layers.Add):
        after.append(KINDS[type(layer).__name__])
        layer = inputs_of(layer)[0]
    shortcut, residual = inputs_of(layer)
    return (
        walk_back(residual, start),
        after[::-1],
        walk_back(shortcut, start),
    )


@pytest.mark.parametrize(
    "unit, order", list(itertools.product(FIG4, FIG4_BASIC)), ids=str
)
def test_unit_is_fig_4s_row(unit, order):
    model = tiny(unit=unit, activation_order=order)
    residual, after, shortcut = unit_row(
        model, "stage1_unit1_out", "stage1_unit2"
    )
    row = " ".join([*residual, "|", *after])
    assert row == FIG4[unit][order]
    assert shortcut == []


@pytest.mark.parametrize("order", FIG4_BASIC)
def test_first_and_last_unit_follow_fig_5(order):
    model = tiny(activation_order=order)
    assert walk_back(
        model.get_layer("stem_relu"), model.get_layer("images")
    ) == ["conv", "bn", "relu"]
    # The first unit has no pre-activation of its own: the stem's stands in.
    residual, _, shortcut = unit_row(model, "stem_relu", "stage1_unit1")
    assert residual[0] == "conv"
    assert shortcut == []
    end = walk_back(
        inputs_of(model.get_layer("avg_pool"))[0],
        model.get_layer("stage2_unit2_out"),
    )
    assert end == {
        "relu_only_preactivation": ["relu"],
        "full_preactivation": ["bn", "relu"],
    }.get(order, [])


@pytest.mark.parametrize("order, option", TRANSITIONS)
def test_transition(order, option):
    model = tiny(activation_order=order, dimension_change=option)
    _, _, shortcut = unit_row(model, "stage1_unit2_out", "stage2_unit1")
    assert shortcut == TRANSITIONS[order, option]


def test_projection_shares_the_units_preactivation():
    model = tiny(unit="bottleneck")
    projection = model.get_layer("stage2_unit1_shortcut_projection")
    conv1 = model.get_layer("stage2_unit1_conv1")
    assert inputs_of(projection) == inputs_of(conv1)
    # ... the widening first unit of stage 1 included (He's Lua).
    projection = model.get_layer("stage1_unit1_shortcut_projection")
    assert inputs_of(projection) == [model.get_layer("stem_relu")]


@pytest.mark.parametrize("stride, index", [("conv1", 1), ("conv2", 2)])
def test_bottleneck_stride(stride, index):
    model = tiny(unit="bottleneck", bottleneck_stride=stride)
    strides = [
        model.get_layer(f"stage2_unit1_conv{i}").strides for i in (1, 2, 3)
    ]
    assert [s == (2, 2) for s in strides] == [i == index for i in (1, 2, 3)]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_shortcut_is_fig_2s(shortcut):
    model = tiny(shortcut=shortcut, activation_order="original")
    residual, after, branch = unit_row(
        model, "stage1_unit1_out", "stage1_unit2"
    )
    on_shortcut, on_residual = SHORTCUTS[shortcut]
    assert branch == on_shortcut
    assert residual == "conv bn relu conv bn".split() + on_residual
    assert after == ["relu"]


@pytest.mark.parametrize(
    "order", ["original", "relu_only_preactivation", "full_preactivation"]
)
@pytest.mark.parametrize(
    "shortcut, layer",
    [("conv", "shortcut_conv"), ("exclusive_gating", "gate")],
)
def test_gate_and_conv_read_the_raw_signal(order, shortcut, layer):
    model = tiny(shortcut=shortcut, activation_order=order)
    for before, unit in [
        ("stage1_unit1_out", "stage1_unit2"),
        ("stage1_unit2_out", "stage2_unit1"),
    ]:
        reads = inputs_of(model.get_layer(f"{unit}_{layer}"))
        assert reads == [model.get_layer(before)]


def test_conv_shortcut_replaces_option_b_and_gates_scale_it():
    model = tiny(shortcut="conv", dimension_change="projection")
    names = [layer.name for layer in model.layers]
    assert "stage2_unit1_shortcut_conv" in names
    assert not any("projection" in name for name in names)
    model = tiny(shortcut="exclusive_gating", dimension_change="padding")
    gated = model.get_layer("stage2_unit1_shortcut_gated")
    assert [layer.name for layer in inputs_of(gated)] == [
        "stage2_unit1_shortcut_padding",
        "stage2_unit1_one_minus_gate",
    ]
    assert model.get_layer("stage2_unit1_gate").strides == (2, 2)


def values(model, images, *layers):
    """Activations of named layers."""
    outputs = [model.get_layer(name).output for name in layers]
    return [np.array(v) for v in keras.Model(model.input, outputs)(images)]


def images():
    return np.random.default_rng(1).normal(size=(4, 8, 8, 3)).astype("float32")


def test_constant_scaling_adds_half_of_each():
    model = tiny(
        shortcut="constant_scaling", shortcut_scale=0.25, residual_scale=0.75
    )
    x, f, y = values(
        model,
        images(),
        "stage1_unit1_out",
        "stage1_unit2_conv2",
        "stage1_unit2_out",
    )
    np.testing.assert_allclose(y, 0.25 * x + 0.75 * f, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "shortcut", ["exclusive_gating", "shortcut_only_gating"]
)
def test_gating_equation(shortcut):
    model = tiny(shortcut=shortcut, gate_bias=-1.5)
    x, f, g, y = values(
        model,
        images(),
        "stage1_unit1_out",
        "stage1_unit2_conv2",
        "stage1_unit2_gate",
        "stage1_unit2_out",
    )
    kernel, bias = model.get_layer("stage1_unit2_gate").get_weights()
    np.testing.assert_allclose(bias, -1.5)
    expected = 1 / (1 + np.exp(-(x @ kernel[0, 0] + bias)))
    np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-6)
    on_residual = g if shortcut == "exclusive_gating" else 1
    np.testing.assert_allclose(
        y, (1 - g) * x + on_residual * f, rtol=1e-5, atol=1e-5
    )


def test_option_a_subsamples_the_raw_signal_and_appends_zeros():
    model = tiny(shortcut="identity", dimension_change="padding")
    x, shortcut = values(
        model,
        images(),
        "stage1_unit2_out",
        "stage2_unit1_shortcut_padding",
    )
    np.testing.assert_array_equal(shortcut[..., :4], x[:, ::2, ::2])
    np.testing.assert_array_equal(shortcut[..., 4:], 0)


def test_strided_3x3_is_padded_on_both_sides():
    model = tiny(activation_order="original")
    x = images()
    block, out = values(model, x, "stage1_unit2_out", "stage2_unit1_conv1")
    kernel = model.get_layer("stage2_unit1_conv1").get_weights()[0]
    padded = np.pad(block, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = sum(
        padded[:, i : i + 8 : 2, j : j + 8 : 2] @ kernel[i, j]
        for i, j in itertools.product(range(3), range(3))
    )
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_imagenet_stem():
    model = tiny(stem="imagenet", unit="bottleneck")
    conv = model.get_layer("stem_conv")
    assert (conv.kernel_size, conv.strides) == ((7, 7), (2, 2))
    order = [layer.name for layer in model.layers if "stem" in layer.name]
    assert order == [
        "stem_conv_pad",
        "stem_conv",
        "stem_bn",
        "stem_relu",
        "stem_pool_pad",
        "stem_pool",
    ]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    relu, pooled = values(model, x, "stem_relu", "stem_pool")
    padded = np.pad(relu, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = [
        padded[:, i : i + 4 : 2, j : j + 4 : 2]
        for i, j in itertools.product(range(3), range(3))
    ]
    np.testing.assert_array_equal(pooled, np.max(windows, axis=0))


def test_fan_out_is_the_convolutions():
    model = tiny(widths=(32, 64), kernel_initializer="he_normal_fan_out")
    kernel = model.get_layer("stage2_unit1_conv1").get_weights()[0]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 64)), rtol=0.05)
    head = model.get_layer("predictions").get_weights()[0]
    np.testing.assert_allclose(head.std(), np.sqrt(2 / 64), rtol=0.2)


def test_he_normal_and_no_bias():
    model = tiny(widths=(32, 64), units_per_stage=(2, 3))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert not layer.use_bias, layer.name
    kernel = model.get_layer("stage2_unit2_conv1").get_weights()[0]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 64)), rtol=0.03)
    other = model.get_layer("stage2_unit3_conv1").get_weights()[0]
    assert not np.array_equal(kernel, other)
