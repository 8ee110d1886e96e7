"""The config of a built network: stored in a layer, or read from its layers.

Networks saved by version 0.1.0 do not store it. Only for them is the config
read from names of layers.
"""

import dataclasses

import keras

from keras_resnetv2.models import layer_names
from keras_resnetv2.models.activations import ACTIVATION_ORDERS
from keras_resnetv2.models.batch_normalization import BatchNormalization
from keras_resnetv2.models.configs import (
    BOTTLENECK_STRIDES,
    MODELS,
    ResNetConfig,
)
from keras_resnetv2.models.layers import KERNEL_INITIALIZERS
from keras_resnetv2.models.specs import UNITS

_STEM_CONV = f"{layer_names.STEM}_conv"


def config_of(model: keras.Model) -> ResNetConfig:
    """Returns the config that a network was built from.

    Args:
        model: a network of this package, or a functional model built on the
            layers of one.

    Returns:
        The config. For a network saved by version 0.1.0, a config that builds
        the same network.

    Raises:
        ValueError: if the model has no layers of this package's networks.
    """
    layers = {layer.name: layer for layer in getattr(model, "layers", ())}
    for layer in layers.values():
        if text := getattr(layer, "network_config", None):
            return ResNetConfig.from_text(text)
    units = _units(layers)
    if not units or _STEM_CONV not in layers:
        raise ValueError(
            f"{getattr(model, 'name', model)!r} has no layers called "
            "stem_conv, stage1_unit1_conv1 and so on; expected a network of "
            "keras_resnetv2. If the network is a layer of the model, give that "
            "layer."
        )
    return _with_depth(_read(layers, units))


def first_bn(model: keras.Model) -> BatchNormalization:
    """Returns the layer that stores a network's config and origin.

    Args:
        model: a network made by `ResNetV2`; each has a batch normalization.
    """
    return next(
        layer for layer in model.layers if isinstance(layer, BatchNormalization)
    )


def _units(layers):
    """Maps (stage, unit) to the unit's layers, by names within the unit."""
    units = {}
    for name, layer in layers.items():
        if match := layer_names.UNIT_LAYER.fullmatch(name):
            place = int(match[1]), int(match[2])
            units.setdefault(place, {})[match[3]] = layer
    return units


def _read(layers, units):
    stages = max(stage for stage, _ in units)
    first, last = units[1, 1], units[max(units)]
    stem = "imagenet" if f"{layer_names.STEM}_pool" in layers else "cifar"
    unit = {len(convs): name for name, convs in UNITS.items()}[
        sum(f"conv{i}" in first for i in (1, 2, 3))
    ]
    roles = set().union(*units.values())
    options = {
        "units_per_stage": tuple(
            sum(place[0] == stage for place in units)
            for stage in range(1, stages + 1)
        ),
        "widths": tuple(
            units[stage, 1]["conv1"].filters for stage in range(1, stages + 1)
        ),
        "stem": stem,
        "unit": unit,
        "classes": _classes(layers, stem),
        "activation_order": _activation_order(layers, first, roles, unit),
        "kernel_initializer": {v: k for k, v in KERNEL_INITIALIZERS.items()}[
            layers[_STEM_CONV].kernel_initializer.mode
        ],
        "batch_normalization": (
            "synchronized"
            if layers[f"{layer_names.STEM}_bn"].synchronized
            else "per_replica"
        ),
        **_shortcut(first),
    }
    if unit == "bottleneck" and stages > 1:
        options["bottleneck_stride"] = next(
            name
            for name in BOTTLENECK_STRIDES
            if units[2, 1][name].strides == (2, 2)
        )
    if "residual_drop" in last:
        options["stochastic_depth"] = last["residual_drop"].rate
    config = ResNetConfig(**options)
    for change in ("padding", "projection"):
        if (
            f"shortcut_{change}" in roles
            and config.effective_dimension_change != change
        ):
            return ResNetConfig(**options, dimension_change=change)
    return config


def _classes(layers, stem):
    if layer_names.CLASSIFIER in layers:
        return layers[layer_names.CLASSIFIER].units
    return next(
        config.classes for config in MODELS.values() if config.stem == stem
    )


def _activation_order(layers, unit, roles, kind):
    """Returns the row of Fig. 4, found by the operations of a unit."""
    last = f"conv{len(UNITS[kind])}"
    found = {
        "before": {
            op
            for op in ("bn", "relu")
            # Those of the last unit come after it, in the head.
            if f"preact_{op}" in roles or f"{layer_names.HEAD}_{op}" in layers
        },
        "after": {op for op in ("bn", "relu") if f"{last}_{op}" in unit},
        "after_addition": {"add", "add_bn"} & unit.keys(),
    }
    after_addition = {
        (): set(),
        ("relu",): {"add"},
        ("bn", "relu"): {"add", "add_bn"},
    }
    return next(
        name
        for name, order in ACTIVATION_ORDERS.items()
        if set(order.before) == found["before"]
        and set(order.after) == found["after"]
        and after_addition[order.after_addition] == found["after_addition"]
    )


def _shortcut(unit):
    """Returns the shortcut of Fig. 2 and its options."""
    if "gate" in unit:
        exclusive = "residual_gated" in unit
        return {
            "shortcut": (
                "exclusive_gating" if exclusive else "shortcut_only_gating"
            ),
            "gate_bias": unit["gate"].bias_initializer.value,
        }
    if {"shortcut_scale", "residual_scale"} & unit.keys():
        return {
            "shortcut": "constant_scaling",
            **{
                name: unit[name].scale if name in unit else 1.0
                for name in ("shortcut_scale", "residual_scale")
            },
        }
    if "shortcut_dropout" in unit:
        return {
            "shortcut": "dropout",
            "dropout_rate": unit["shortcut_dropout"].rate,
        }
    return {"shortcut": "conv" if "shortcut_conv" in unit else "identity"}


def _with_depth(config):
    """Replaces units_per_stage by depth for CIFAR networks."""
    counts = config.units_per_stage
    if config.stem != "cifar" or len(counts) != 3 or len(set(counts)) > 1:
        return config
    try:
        return dataclasses.replace(
            config, depth=config.layers, units_per_stage=None
        )
    except ValueError:  # an odd number of single units
        return config
