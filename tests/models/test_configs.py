import dataclasses

import numpy as np
import pytest

from keras_resnetv2 import MODELS, ResNetConfig
from keras_resnetv2.models import (
    activations,
    batch_normalization,
    configs,
    layers,
    references,
    shortcuts,
    specs,
)
from keras_resnetv2.models.configs import find_config


@pytest.mark.parametrize(
    "depth, unit, units",
    [
        (20, "basic", (3, 3, 3)),
        (110, "basic", (18, 18, 18)),
        (1202, "basic", (200, 200, 200)),
        (164, "bottleneck", (18, 18, 18)),
        (1001, "bottleneck", (111, 111, 111)),
        (20, "single", (6, 6, 6)),
        (110, "single", (36, 36, 36)),
    ],
)
def test_depth_arithmetic(depth, unit, units):
    assert ResNetConfig(depth=depth, unit=unit).units == units


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"depth": 21}, r"6n\+2.*depth=21.*20 or 26"),
        ({"depth": 20, "unit": "bottleneck"}, None),
        ({"depth": 32, "unit": "bottleneck"}, r"9n\+2.*depth=32.*29 or 38"),
        ({"depth": 22, "unit": "single"}, r"6n\+2"),
        ({"depth": 2}, r"6n\+2.*Nearest: 8"),
        (
            {"depth": "20"},
            r"depth must be a whole number, at least 1; received '20'",
        ),
        ({}, "exactly one of depth"),
        ({"depth": 20, "units_per_stage": (3, 3, 3)}, "exactly one of depth"),
        ({"units_per_stage": (3, 3)}, "one entry per stage"),
        ({"units_per_stage": (3, 0, 3)}, "positive integers"),
        ({"depth": 20, "widths": (16, 32)}, "units_per_stage instead"),
        ({"depth": 20, "classes": 0}, "classes must be"),
        ({"depth": 20, "activation_order": "preact"}, "full_preactivation"),
        ({"depth": 20, "shortcut": "gating"}, "exclusive_gating"),
        ({"depth": 20, "unit": "wide"}, "bottleneck"),
        ({"depth": 20, "dimension_change": "C"}, "projection"),
        ({"depth": 20, "bottleneck_stride": "conv3"}, "conv2"),
        ({"depth": 20, "stem": "tiny"}, "imagenet"),
        ({"depth": 20, "gate_bias": -3.0}, "gate_bias has no effect.*gating"),
        (
            {"depth": 20, "shortcut": "conv", "dropout_rate": 0.1},
            "dropout_rate has no effect.*'dropout'",
        ),
        (
            {"depth": 20, "shortcut": "dropout", "dropout_rate": 1.0},
            "dropout_rate must be a fraction, at least 0 and smaller than 1",
        ),
        (
            {"depth": 20, "shortcut": "exclusive_gating", "gate_bias": "-6"},
            "must be a finite number",
        ),
        (
            {
                "depth": 20,
                "shortcut": "constant_scaling",
                "residual_scale": float("inf"),
            },
            "must be a finite number",
        ),
        (
            {"depth": 20, "stochastic_depth": 1.0},
            "stochastic_depth must be a fraction.*received 1.0",
        ),
        ({"depth": 20, "stochastic_depth": -0.1}, "received -0.1"),
        (
            {"depth": 20, "stochastic_depth": None},
            "stochastic_depth must be a fraction.*None",
        ),
        (
            {"depth": 20, "widths": (64, 32, 16)},
            'dimension_change="projection"',
        ),
    ],
)
def test_bad_configs_say_what_to_do(kwargs, says):
    if says is None:
        ResNetConfig(**kwargs)
        return
    with pytest.raises(ValueError, match=says):
        ResNetConfig(**kwargs)


def test_paper_options_are_the_defaults():
    for name, config in MODELS.items():
        assert config.activation_order == "full_preactivation", name
        assert config.shortcut == "identity", name
        assert config.effective_bottleneck_stride == "conv1", name
    option_a = [
        n
        for n, c in MODELS.items()
        if c.effective_dimension_change == "padding"
    ]
    assert option_a == [
        f"PreActResNet{depth}" for depth in (20, 32, 44, 56, 110, 1202)
    ]


def test_shortcut_options_default_to_the_papers():
    def options(**kwargs):
        config = ResNetConfig(depth=20, **kwargs)
        return next(spec for _, spec in config.unit_specs())

    assert options(shortcut="exclusive_gating").gate_bias == -6.0
    assert options(shortcut="exclusive_gating", gate_bias=0).gate_bias == 0
    assert options(shortcut="dropout").dropout_rate == 0.5
    scaled = options(shortcut="constant_scaling", residual_scale=1)
    assert (scaled.shortcut_scale, scaled.residual_scale) == (0.5, 1)


def test_stochastic_depth_grows_linearly_with_the_unit():
    config = ResNetConfig(
        units_per_stage=(2, 1, 2), stochastic_depth=0.5, classes=3
    )
    rates = [spec.drop_rate for _, spec in config.unit_specs()]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_config_survives_json_lists():
    config = MODELS["ResNet50V2"]
    values = dataclasses.asdict(config)
    values["widths"] = list(values["widths"])
    values["units_per_stage"] = list(values["units_per_stage"])
    assert ResNetConfig(**values) == config


def test_numpys_numbers_become_pythons():
    config = ResNetConfig(
        depth=np.int64(20),
        widths=tuple(np.int16([16, 32, 64])),
        stochastic_depth=np.float32(0.5),
    )
    assert config == ResNetConfig(depth=20, stochastic_depth=0.5)
    assert {type(width) for width in config.widths} == {int}
    assert type(config.stochastic_depth) is float
    with pytest.raises(ValueError, match="tuple of positive integers"):
        ResNetConfig(depth=20, widths=np.array([16, 32, 64]))


def test_unknown_model_lists_the_known_ones():
    with pytest.raises(ValueError, match="'ResNet50'.*PreActResNet20"):
        find_config("ResNet50")
    assert find_config("preactresnet20") is MODELS["PreActResNet20"]


TABLES = {
    "reference": dict.fromkeys(row.name for row in references.REFERENCES),
    "stem": specs.STEMS,
    "unit": specs.UNITS,
    "activation_order": activations.ACTIVATION_ORDERS,
    "shortcut": shortcuts.SHORTCUTS,
    "dimension_change": shortcuts.DIMENSION_CHANGES,
    "bottleneck_stride": configs.BOTTLENECK_STRIDES,
    "kernel_initializer": layers.KERNEL_INITIALIZERS,
    "batch_normalization": batch_normalization.BATCH_NORMALIZATIONS,
}


def test_types_name_what_the_tables_have():
    tables = {field: tuple(table) for field, table in TABLES.items()}
    assert configs.CHOICES == tables


def test_the_docstring_has_every_option_with_its_values():
    doc = " ".join(ResNetConfig.__doc__.split())
    for field in dataclasses.fields(ResNetConfig):
        assert f" {field.name}: {field.metadata['help']}." in doc
    assert '"pooled_projection". Default: the reference' in doc
    assert "{attributes}" not in doc


@pytest.mark.parametrize("name", MODELS)
def test_a_network_has_the_layers_that_its_name_says(name):
    number = name.removeprefix("PreAct").removeprefix("ResNet")
    assert MODELS[name].layers == int(number.removesuffix("V2"))
