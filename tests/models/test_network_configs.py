"""A network knows its config, however it came about."""

import dataclasses
import itertools

import keras
import pytest

from keras_resnetv2 import MODELS, ResNet, ResNetConfig, ResNetV2
from keras_resnetv2.models.activations import ACTIVATION_ORDERS
from keras_resnetv2.models.network_configs import config_of
from keras_resnetv2.models.shortcuts import SHORTCUTS

SIZES = {
    "single": {"depth": 8},
    "basic": {"depth": 8},
    "bottleneck": {"depth": 11},
}
COMBINATIONS = [
    ResNetConfig(
        **SIZES[unit],
        widths=(2, 4, 8),
        unit=unit,
        activation_order=order,
        shortcut=shortcut,
        dimension_change=change,
    )
    for (unit, shortcut, order), change in zip(
        itertools.product(SIZES, SHORTCUTS, ACTIVATION_ORDERS),
        itertools.cycle(("padding", "projection")),
    )
]
# The shortcut is read from its own layers, whatever the unit and order.
FEW = [
    config
    for config in COMBINATIONS
    if config.shortcut == "identity"
    or (config.unit, config.activation_order) == ("basic", "original")
]
OTHERS = [
    ResNetConfig(
        units_per_stage=(1, 3),
        widths=(2, 4),
        unit="bottleneck",
        stem="imagenet",
        bottleneck_stride="conv2",
        classes=7,
        stochastic_depth=0.25,
        kernel_initializer="he_normal_fan_out",
        batch_normalization="synchronized",
    ),
    ResNetConfig(
        units_per_stage=(1,), widths=(4,), shortcut="dropout", dropout_rate=0.3
    ),
    ResNetConfig(
        units_per_stage=(3, 3, 3),
        unit="single",
        shortcut="constant_scaling",
        shortcut_scale=1.0,
        residual_scale=0.25,
    ),
    ResNetConfig(
        depth=14,
        widths=(2, 4, 8),
        activation_order="bn_after_addition",
        shortcut="exclusive_gating",
        gate_bias=-2.5,
    ),
    MODELS["PreActResNet20"],
    MODELS["ResNet18V2"],
]


def forgotten(model):
    """The network as 0.1.0 would have saved it."""
    model.get_layer("stem_bn").network_config = None
    return model


def networks(config):
    """What a config comes to: its units, and the rest that is built."""
    rest = ("stem", "classes", "units", "widths")
    return (
        list(config.unit_specs()),
        {name: getattr(config, name) for name in rest},
        config.kernel_initializer,
        config.batch_normalization,
    )


@pytest.mark.parametrize(
    "configs",
    [FEW, pytest.param(COMBINATIONS, marks=pytest.mark.large)],
    ids=["few", "all"],
)
def test_what_the_layers_tell(configs):
    for config in configs:
        model = ResNetV2(config, input_shape=(8, 8, 3))
        assert model.config == config
        read = forgotten(model).config
        expected = config
        if config.shortcut == "conv":  # which takes the other's place
            expected = dataclasses.replace(config, dimension_change=None)
        assert networks(read) == networks(expected), config


@pytest.mark.parametrize("config", OTHERS, ids=str)
def test_what_the_layers_of_others_tell(config):
    model = forgotten(ResNetV2(config))
    read = model.config
    assert networks(read) == networks(config)
    assert networks(forgotten(ResNetV2(read)).config) == networks(config)


def test_a_network_without_a_head():
    for order in ACTIVATION_ORDERS:
        config = ResNetConfig(depth=8, widths=(2, 4, 8), activation_order=order)
        model = forgotten(ResNetV2(config, include_top=False))
        assert networks(model.config) == networks(config)


@pytest.mark.parametrize("config", OTHERS[:2], ids=str)
def test_the_config_is_carried(config, tmp_path):
    body = ResNetV2(config, include_top=False, pooling="avg")
    own_head = ResNet(body.input, keras.layers.Dense(3)(body.output))
    path = tmp_path / "own_head.keras"
    own_head.save(path)
    loaded = keras.models.load_model(path)
    copies = (own_head, loaded, keras.models.clone_model(loaded))
    for model in copies:
        assert isinstance(model, ResNet)
        assert model.config == config
    plain = keras.Model(body.input, body.output)
    assert config_of(plain) == config


def test_the_classes_are_those_that_were_built():
    model = ResNetV2(MODELS["PreActResNet20"], classes=4)
    assert model.config.classes == 4


def test_a_config_goes_through_json():
    for config in OTHERS:
        assert ResNetConfig.from_text(config.to_text()) == config


def test_a_model_that_is_none_of_ours():
    inner = ResNetV2(OTHERS[1], input_shape=(8, 8, 3))
    outer = keras.Sequential([inner], name="outer")
    with pytest.raises(ValueError, match="'outer' has no layers called"):
        config_of(outer)
    with pytest.raises(ValueError, match="has no layers called stem_conv"):
        config_of(None)
