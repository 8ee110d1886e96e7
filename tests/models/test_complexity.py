"""Counts without building: goldens, published figures, and built networks.

Every combination of order, shortcut, unit and dimension change is held against
a built network in test_combinations.py, every named network in
test_parameter_counts.py.
"""

import dataclasses

import keras
import numpy as np
import pytest
from counting import counted
from parameter_goldens import GOLDENS

from keras_resnetv2 import (
    MODELS,
    ResNetConfig,
    ResNetV2,
    complexity,
)


@pytest.fixture
def nothing_can_be_built(monkeypatch):
    def refuse(cls, *args, **kwargs):
        raise AssertionError(f"a {cls.__name__} was made")

    monkeypatch.setattr(keras.layers.Layer, "__new__", refuse)
    with pytest.raises(AssertionError, match="InputLayer was made"):
        keras.Input((1,))


@pytest.mark.parametrize("name", GOLDENS)
def test_parameters_are_the_closed_forms(name, nothing_can_be_built):
    counts = [
        complexity(dataclasses.replace(MODELS[name], dimension_change=option))
        for option in ("padding", "projection")
    ]
    assert tuple(c.parameters for c in counts) == GOLDENS[name]


# He et al., 2015, Table 1: "FLOPs (multiply-adds)" in 1e9, two figures; option
# A where the net is the one whose shortcuts have no parameters.
@pytest.mark.parametrize(
    "name, option, published",
    [
        ("ResNet18V2", "padding", 1.8),
        ("ResNet34V2", "padding", 3.6),
        ("ResNet50V2", "projection", 3.8),
        ("ResNet101V2", "projection", 7.6),
        ("ResNet152V2", "projection", 11.3),
    ],
)
def test_multiply_adds_are_the_papers(name, option, published):
    config = dataclasses.replace(MODELS[name], dimension_change=option)
    # 3.86 became 3.8 there, 7.57 became 7.6.
    assert abs(complexity(config).multiply_adds / 1e9 - published) < 0.1


# Lin et al., "HRank", 2020, and the pruning literature: the original unit with
# option A on CIFAR-10, in 1e6.
@pytest.mark.parametrize(
    "name, published",
    [("PreActResNet56", "125.49"), ("PreActResNet110", "252.89")],
)
def test_multiply_adds_are_the_pruning_literatures(name, published):
    config = dataclasses.replace(MODELS[name], activation_order="original")
    assert f"{complexity(config).multiply_adds / 1e6:.2f}" == published


# torchvision's `num_params` and `_ops` (1e9 multiply-adds), exact: the original
# unit, option B, a bottleneck's stride on its 3x3.
@pytest.mark.parametrize(
    "name, parameters, multiply_adds",
    [
        ("ResNet18V2", 11_689_512, "1.814"),
        ("ResNet34V2", 21_797_672, "3.664"),
        ("ResNet50V2", 25_557_032, "4.089"),
        ("ResNet101V2", 44_549_160, "7.801"),
        ("ResNet152V2", 60_192_808, "11.514"),
    ],
)
def test_original_networks_count_as_torchvisions(
    name, parameters, multiply_adds
):
    config = dataclasses.replace(MODELS[name], activation_order="original")
    if config.unit == "bottleneck":
        config = dataclasses.replace(config, bottleneck_stride="conv2")
    count = complexity(config)
    assert count.parameters == parameters
    assert f"{count.multiply_adds / 1e9:.3f}" == multiply_adds


def test_activations_of_20_layers_by_hand():
    """Full pre-activation, option A, with 32x32, 16x16 and 8x8 maps."""
    a, b, c = 32 * 32 * 16, 16 * 16 * 32, 8 * 8 * 64
    # Of a unit with n values: x, BN-ReLU of it, conv1, BN-ReLU of that.
    assert complexity(MODELS["PreActResNet20"]).activations == (
        (32 * 32 * 3 + 2 * a)  # the image, the stem's convolution, its ReLU
        + (2 * a + 4 * a + 4 * a)  # unit 1 begins with the stem's ReLU
        + (2 * a + 34 * 34 * 16 + 2 * b + 4 * b + 4 * b)
        + (2 * b + 18 * 18 * 32 + 2 * c + 4 * c + 4 * c)
        + (2 * c + 64 + 10)  # the last BN and ReLU, the pooled map, softmax
    )


# Of one 4 x 4 map of 8 channels, n values, that a unit begins and ends with.
@pytest.mark.parametrize(
    "order, shortcut, maps",
    [
        # x; conv1 and ReLU; conv2 for its BN; the last ReLU is the next x
        ("original", "identity", 4),
        # x; conv1 and ReLU; the sum for its BN
        ("bn_after_addition", "identity", 4),
        # x; conv1 and ReLU; conv2 for its BN, ReLU
        ("relu_before_addition", "identity", 5),
        # ReLU of x; conv1 and ReLU; conv2 for its BN
        ("relu_only_preactivation", "identity", 4),
        # x and ReLU of it; conv1 and ReLU
        ("full_preactivation", "identity", 4),
        ("full_preactivation", "constant_scaling", 4),
        ("full_preactivation", "conv", 4),
        ("relu_only_preactivation", "conv", 5),  # x beside the ReLU of it
        ("full_preactivation", "dropout", 5),  # the mask
        # g, 1 - g; and F, which the original unit's BN gives
        ("full_preactivation", "shortcut_only_gating", 6),
        ("original", "exclusive_gating", 7),
        # F is the ReLU that is kept anyway.
        ("relu_before_addition", "exclusive_gating", 7),
    ],
)
def test_activations_that_one_more_unit_keeps(order, shortcut, maps):
    options = {"activation_order": order, "shortcut": shortcut, "widths": (8,)}
    three, two = (
        complexity(
            ResNetConfig(units_per_stage=(units,), **options),
            input_shape=(4, 4, 3),
        ).activations
        for units in (3, 2)
    )
    assert three - two == maps * 4 * 4 * 8


@pytest.mark.parametrize(
    "input_shape, options",
    [
        ((9, 15, 3), {"depth": 8}),
        ((13, 11, 1), {"depth": 11, "unit": "bottleneck"}),
        (
            (13, 11, 3),
            {
                "depth": 11,
                "unit": "bottleneck",
                "bottleneck_stride": "conv2",
                "dimension_change": "padding",
            },
        ),
        (
            (37, 50, 3),
            {
                "stem": "imagenet",
                "units_per_stage": (1, 2),
                "widths": (4, 6),
                "shortcut": "exclusive_gating",
            },
        ),
        (
            (8, 9, 5),
            {
                "stem": "imagenet",
                "unit": "bottleneck",
                "bottleneck_stride": "conv2",
                "units_per_stage": (1, 1),
                "widths": (4, 8),
                "activation_order": "original",
            },
        ),
        # The map shrinks and the channels stay; the channels shrink.
        ((8, 8, 3), {"depth": 8, "widths": (4, 4, 4)}),
        (
            (8, 8, 3),
            {
                "depth": 8,
                "widths": (4, 4, 4),
                "dimension_change": "projection",
                "activation_order": "original",
            },
        ),
        ((8, 8, 3), {"depth": 8, "widths": (16, 8, 4), "shortcut": "conv"}),
        # One stage of one unit, without a pre-activation of its own.
        (
            (3, 2, 3),
            {
                "unit": "single",
                "units_per_stage": (1,),
                "widths": (4,),
                "shortcut": "constant_scaling",
                "residual_scale": 1,
                "stochastic_depth": 0.5,
            },
        ),
        ((8, 8, 3), {"depth": 8, "shortcut": "dropout", "dropout_rate": 0}),
    ],
)
def test_counts_are_a_built_networks(input_shape, options):
    config = ResNetConfig(**options)
    kwargs = {"classes": 7, "input_shape": input_shape}
    assert complexity(config, **kwargs) == counted(ResNetV2(config, **kwargs))


def test_the_default_shape_is_the_builders():
    config = ResNetConfig(depth=8, classes=3)
    assert complexity(config) == counted(ResNetV2(config))


def test_counts_are_python_integers():
    """Narrow integers from NumPy would overflow."""
    config = ResNetConfig(
        units_per_stage=(3, 3, 3), widths=tuple(np.int16([16, 32, 64]))
    )
    count = complexity(
        config, classes=np.int16(10), input_shape=tuple(np.int16([32, 32, 3]))
    )
    assert count == complexity(MODELS["PreActResNet20"])
    assert {type(n) for n in dataclasses.astuple(count)} == {int}


@pytest.mark.parametrize(
    "config, kwargs, says",
    [
        ("PreActResNet20", {}, "'PreActResNet20'.*keras_resnetv2.MODELS"),
        (
            MODELS["PreActResNet20"],
            {"input_shape": (None, 32, 3)},
            r"received input_shape=\(None, 32, 3\).*height and width in pixels",
        ),
        (
            MODELS["PreActResNet20"],
            {"input_shape": (32, 32, None)},
            "known number of channels",
        ),
        (
            MODELS["ResNet50V2"],
            {"input_shape": (32, 31, 3)},
            r"at least 32 x 32 pixels.*\(32, 31, 3\)",
        ),
        (MODELS["ResNet50V2"], {"classes": 0}, "classes must be.*received 0"),
    ],
)
def test_bad_arguments_say_what_to_do(config, kwargs, says):
    with pytest.raises(ValueError, match=says):
        complexity(config, **kwargs)
