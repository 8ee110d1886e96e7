"""Networks as data: `ResNetConfig`, its validation, and `MODELS`."""

import dataclasses
import itertools
import json
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from keras_resnetv2._checks import FINITE, FRACTION, check_count, is_count
from keras_resnetv2._options import (
    check_options,
    choices_of,
    documented,
    option,
)
from keras_resnetv2._text import brief
from keras_resnetv2.models import layer_names
from keras_resnetv2.models.references import Reference, find_reference
from keras_resnetv2.models.specs import (
    SHORTCUT_OPTIONS,
    STEMS,
    UNITS,
    BatchNormSpec,
    UnitSpec,
    shortcuts_with,
)

# The names that a type checker and `ResNetConfig` accept. The tests compare
# them with the tables that define the names.
ReferenceName = Literal[
    "paper", "keras_applications", "keras_hub", "timm", "pytorchcv"
]
StemName = Literal["cifar", "imagenet", "imagenet_deep", "imagenet_tiered"]
UnitName = Literal["single", "basic", "bottleneck"]
ActivationOrderName = Literal[
    "original",
    "bn_after_addition",
    "relu_before_addition",
    "relu_only_preactivation",
    "full_preactivation",
]
ShortcutName = Literal[
    "identity",
    "constant_scaling",
    "exclusive_gating",
    "shortcut_only_gating",
    "conv",
    "dropout",
]
DimensionChangeName = Literal["padding", "projection", "pooled_projection"]
BottleneckStrideName = Literal["conv1", "conv2"]
KernelInitializerName = Literal["he_normal", "he_normal_fan_out"]
BatchNormalizationName = Literal["per_replica", "synchronized"]
RematName = Literal["none", "unit", "stage"]

# Index of the convolution that carries a bottleneck's stride.
BOTTLENECK_STRIDES = {"conv1": 0, "conv2": 1}

_DEPTH_MULTIPLES = {"single": 6, "basic": 6, "bottleneck": 9}


# Fields that a named network sets; every builder takes the other ones.
SIZE_FIELDS = ("depth", "units_per_stage", "widths", "classes")


def _shortcut_option(name, help, number=FINITE):
    users = shortcuts_with(name)
    default = SHORTCUT_OPTIONS[users[0]][name]
    return option(
        None,
        f"{help}, with {' or '.join(users)}",
        unset=default,
        source="Table 1",
        number=number,
    )


@documented
@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """Everything that defines a pre-activation (or ablated) ResNet.

    The size is given either by `units_per_stage` or by `depth`. As in CIFAR
    networks, depth is 6n+2 with n basic units per stage, 9n+2 with n
    bottlenecks per stage, and 6n+2 with 2n single-convolution units per stage.

    Reference: He et al., 2016, Fig. 2 (shortcuts), Fig. 4 (activation orders),
    Fig. 5 (first and last unit), section 5 (networks).

    Attributes:
        {attributes}

    Raises:
        ValueError: if a name is unknown, the depth does not fit the unit, an
            option belongs to another shortcut, or a value is out of range.

    Example:
        >>> from keras_resnetv2 import ResNetConfig
        >>> ResNetConfig(depth=26).units
        (4, 4, 4)
        >>> ResNetConfig(depth=29, unit="bottleneck").units
        (3, 3, 3)
    """

    depth: int | None = option(
        None, "number of layers as in the paper", unset="by stages"
    )
    units_per_stage: tuple[int, ...] | None = option(
        None, "number of residual units in each stage", unset="by depth"
    )
    widths: tuple[int, ...] = option(
        (16, 32, 64),
        "filters of each stage; a bottleneck's output has four times as many. "
        "Every stage except the first halves the map",
    )
    stem: StemName = option(
        "cifar",
        "first layers: cifar is a 3x3 convolution; imagenet a 7x7/2 "
        "convolution and a 3x3/2 max-pool; imagenet_deep and imagenet_tiered "
        "have three 3x3 convolutions instead of the 7x7, the first with stride "
        "2",
        source="section 5; deep: He et al., 2019, Fig. 2(b)",
    )
    unit: UnitName = option(
        "basic",
        "convolutions of a unit: basic has 3x3, 3x3; bottleneck 1x1, 3x3, 1x1; "
        "single 3x3",
        source="section 5; single: Table 3",
    )
    classes: int = option(10, "default number of classes")
    activation_order: ActivationOrderName = option(
        "full_preactivation",
        "positions of batch normalization and ReLU",
        source="Fig. 4, Table 2",
    )
    shortcut: ShortcutName = option(
        "identity", "operation of the shortcut", source="Fig. 2, Table 1"
    )
    shortcut_scale: float | None = _shortcut_option(
        "shortcut_scale", "factor on the shortcut"
    )
    residual_scale: float | None = _shortcut_option(
        "residual_scale", "factor on the residual branch F"
    )
    gate_bias: float | None = _shortcut_option(
        "gate_bias", "initial bias of the gates"
    )
    dropout_rate: float | None = _shortcut_option(
        "dropout_rate",
        "dropped fraction of the shortcut, 0 <= rate < 1",
        FRACTION,
    )
    dimension_change: DimensionChangeName | None = option(
        None,
        "shortcut at a change of channels or map size: padding is option A, "
        "projection option B; pooled_projection has the stride in an average "
        "pooling before option B",
        unset="the reference's; in the paper, padding in CIFAR networks with "
        "basic or single units, else projection",
        source="He et al., 2015; pooled: He et al., 2019, Fig. 2(c)",
    )
    bottleneck_stride: BottleneckStrideName | None = option(
        None,
        "convolution of a bottleneck that has the stride: conv1 as in the "
        "authors' code, conv2 as in fb.resnet.torch",
        unset="the reference's; in the paper, conv1",
    )
    kernel_initializer: KernelInitializerName = option(
        "he_normal",
        "initialization of the convolutions; he_normal_fan_out is the torch "
        "recipe's",
    )
    batch_normalization: BatchNormalizationName = option(
        "per_replica",
        "statistics that normalize a batch: each replica's own, as in the "
        "paper, or those of all replicas, which several devices of JAX need",
    )
    stochastic_depth: float = option(
        0.0,
        "probability, 0 <= p < 1, of skipping the last unit's residual branch "
        "in training. It grows linearly from the first unit to the last. 0 "
        "turns it off",
        source="Huang et al., 2016",
        number=FRACTION,
    )
    reference: ReferenceName = option(
        "paper",
        "published architecture, where others differ from the paper: "
        "activation of the stem, padding of its max-pool, pre-activation of "
        "the first unit, position of the strides, biases, and batch "
        "normalization's epsilon and momentum",
        source="models.references",
    )

    __repr__ = brief

    def __post_init__(self):
        for name, value in vars(self).items():
            object.__setattr__(self, name, _plain(value))
        check_options(self)
        find_reference(self.reference, self.stem)
        _check_bottleneck_stride(self)
        _check_size(self)
        _check_shortcut_options(self)
        _check_padding(self)

    @property
    def units(self) -> tuple[int, ...]:
        """Number of residual units in each stage."""
        if self.units_per_stage is not None:
            return self.units_per_stage
        layers = (self.depth - 2) // len(self.widths)
        return (layers // len(UNITS[self.unit]),) * len(self.widths)

    @property
    def traits(self) -> Reference:
        """What its reference does, where it may differ from the paper."""
        return find_reference(self.reference, self.stem)

    @property
    def effective_bottleneck_stride(self) -> str:
        """`bottleneck_stride`, or the reference's choice if that is None."""
        return self.bottleneck_stride or self.traits.bottleneck_strides[0]

    @property
    def effective_dimension_change(self) -> str:
        """`dimension_change`, or the reference's choice if that is None."""
        change = self.dimension_change or self.traits.dimension_change
        if change is not None:
            return change
        if self.stem == "cifar" and self.unit != "bottleneck":
            return "padding"
        return "projection"

    @property
    def input_size(self) -> int:
        """Height and width of the default input in pixels."""
        return self.traits.input_size or STEMS[self.stem].input_size

    @property
    def layers(self) -> int:
        """The number in the paper's names: convolutions, and the classifier.

        A stem counts as one; shortcuts do not count.
        """
        return sum(self.units) * len(UNITS[self.unit]) + 2

    @property
    def strides(self) -> int:
        """Input pixels per pixel of the last stage's map, along one side."""
        return STEMS[self.stem].strides * 2 ** (len(self.widths) - 1)

    @property
    def batch_norm_spec(self) -> BatchNormSpec:
        """The settings of all batch normalizations."""
        traits = self.traits
        return BatchNormSpec(
            self.batch_normalization, traits.epsilon, traits.momentum
        )

    def to_text(self) -> str:
        """Returns all fields as JSON text, for `from_text`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "ResNetConfig":
        """The inverse of `to_text`."""
        return cls(**json.loads(text))

    def unit_specs(self) -> Iterator[tuple[str, UnitSpec]]:
        """Yields (layer name prefix, spec) of every unit, first to last."""
        defaults = SHORTCUT_OPTIONS.get(self.shortcut, {})
        options = {
            name: defaults.get(name)
            if getattr(self, name) is None
            else getattr(self, name)
            for name in _OPTION_FIELDS
        }
        traits = self.traits
        strided = BOTTLENECK_STRIDES[self.effective_bottleneck_stride]
        place = itertools.count(1)
        for s, (units, width) in enumerate(zip(self.units, self.widths)):
            for u in range(units):
                strides = 2 if self._halves(s, u) else 1
                change = self.effective_dimension_change
                if strides == 2 and u > 0:
                    change = traits.strided_shortcut or change
                yield (
                    layer_names.unit(s + 1, u + 1),
                    UnitSpec(
                        unit=self.unit,
                        width=width,
                        strides=strides,
                        strided_conv=strided
                        if self.unit == "bottleneck"
                        else 0,
                        preactivated=(s, u) != (0, 0)
                        or traits.first_unit_preactivated,
                        activation_order=self.activation_order,
                        shortcut=self.shortcut,
                        dimension_change=change,
                        kernel_initializer=self.kernel_initializer,
                        batch_normalization=self.batch_norm_spec,
                        biased=traits.biased,
                        drop_rate=self.stochastic_depth
                        * next(place)
                        / sum(self.units),
                        **options,
                    ),
                )

    def _halves(self, stage, unit):
        """Returns whether a unit halves the map; both count from 0."""
        if self.traits.strided_unit == "first":
            return stage > 0 and unit == 0
        return stage < len(self.units) - 1 and unit == self.units[stage] - 1


# Field -> the names that it accepts.
CHOICES = choices_of(ResNetConfig)

_OPTION_FIELDS = tuple(
    dict.fromkeys(key for row in SHORTCUT_OPTIONS.values() for key in row)
)


def _plain(value):
    """Replaces JSON's lists by tuples, and NumPy's numbers by Python's."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    is_numpys = isinstance(value, numbers.Number) and hasattr(value, "item")
    return value.item() if is_numpys else value


def check_config(config) -> None:
    """Checks that this is a `ResNetConfig`.

    Raises:
        ValueError: if it is not; says where to get one.
    """
    if not isinstance(config, ResNetConfig):
        raise ValueError(
            f"config must be a ResNetConfig; received {config!r}. Take one "
            "from keras_resnetv2.MODELS or make one."
        )


def _check_bottleneck_stride(config):
    without_effect = config.bottleneck_stride not in (None, "conv1")
    if without_effect and config.unit != "bottleneck":
        raise ValueError(
            f"bottleneck_stride={config.bottleneck_stride!r} has no effect "
            f'with unit={config.unit!r}. Omit it, or use unit="bottleneck".'
        )


def _check_size(config):
    if (config.depth is None) == (config.units_per_stage is None):
        raise ValueError(
            "Give exactly one of depth and units_per_stage for a network's "
            f"size; received depth={config.depth!r}, "
            f"units_per_stage={config.units_per_stage!r}."
        )
    for field in ("widths", "units_per_stage"):
        value = getattr(config, field)
        if value is None:
            continue
        if not (
            isinstance(value, tuple) and value and all(map(is_count, value))
        ):
            raise ValueError(
                f"{field} must be a non-empty tuple of positive integers, one "
                f"per stage; received {value!r}."
            )
    if config.depth is None:
        if len(config.units_per_stage) != len(config.widths):
            raise ValueError(
                "units_per_stage and widths must have one entry per stage; "
                f"received units_per_stage={config.units_per_stage} and "
                f"widths={config.widths}."
            )
    else:
        _check_depth(config)
    check_count("classes", config.classes)


def _check_depth(config):
    if len(config.widths) != 3:
        raise ValueError(
            "depth is only for networks with three stages; received "
            f"depth={config.depth} with widths={config.widths}. Give "
            "units_per_stage instead."
        )
    multiple = _DEPTH_MULTIPLES[config.unit]
    depth = config.depth
    check_count("depth", depth)
    if depth <= 2 or (depth - 2) % multiple:
        below = depth - (depth - 2) % multiple
        nearest = [str(d) for d in (below, below + multiple) if d > 2]
        raise ValueError(
            f"With {config.unit} units the depth must be {multiple}n+2; "
            f"received depth={depth!r}. Nearest: {' or '.join(nearest)}."
        )


def _check_shortcut_options(config):
    allowed = SHORTCUT_OPTIONS.get(config.shortcut, {})
    for field in _OPTION_FIELDS:
        value = getattr(config, field)
        if value is not None and field not in allowed:
            raise ValueError(
                f"{field} has no effect with shortcut={config.shortcut!r}; "
                f"received {field}={value!r}. Omit it, or use "
                f"shortcut={' or '.join(map(repr, shortcuts_with(field)))}."
            )


def _check_padding(config):
    if (
        config.effective_dimension_change != "padding"
        or config.shortcut == "conv"
    ):
        return
    filters = [config.widths[0]]
    filters += [spec.filters for _, spec in config.unit_specs()]
    if any(after < before for before, after in zip(filters, filters[1:])):
        raise ValueError(
            "Option A (padding) can only add channels; received "
            f"widths={config.widths}, which decrease. Use "
            'dimension_change="projection".'
        )


def _imagenet(units_per_stage, unit):
    return ResNetConfig(
        units_per_stage=units_per_stage,
        unit=unit,
        stem="imagenet",
        widths=(64, 128, 256, 512),
        classes=1000,
    )


# The paper's sections 3 to 5 (CIFAR) and 5 (ImageNet). The depths 32 to 56 and
# 1202 are those of He et al., 2015, with this paper's units.
MODELS = {
    "PreActResNet20": ResNetConfig(depth=20),
    "PreActResNet32": ResNetConfig(depth=32),
    "PreActResNet44": ResNetConfig(depth=44),
    "PreActResNet56": ResNetConfig(depth=56),
    "PreActResNet110": ResNetConfig(depth=110),
    "PreActResNet1202": ResNetConfig(depth=1202),
    "PreActResNet164": ResNetConfig(depth=164, unit="bottleneck"),
    "PreActResNet1001": ResNetConfig(depth=1001, unit="bottleneck"),
    "ResNet18V2": _imagenet((2, 2, 2, 2), "basic"),
    "ResNet34V2": _imagenet((3, 4, 6, 3), "basic"),
    "ResNet50V2": _imagenet((3, 4, 6, 3), "bottleneck"),
    "ResNet101V2": _imagenet((3, 4, 23, 3), "bottleneck"),
    "ResNet152V2": _imagenet((3, 8, 36, 3), "bottleneck"),
    "ResNet200V2": _imagenet((3, 24, 36, 3), "bottleneck"),
}


def find_config(name: str) -> ResNetConfig:
    """Looks up a model by name, ignoring case.

    Raises:
        ValueError: for an unknown name; lists the known ones.
    """
    for known, config in MODELS.items():
        if known.lower() == str(name).lower():
            return config
    raise ValueError(
        f"Unknown model: received {name!r}; expected one of "
        f"{', '.join(MODELS)}."
    )


def call_of(model: str, options: Mapping[str, Any]) -> str:
    """Writes a network as the call that builds it.

    Args:
        model: name of the builder.
        options: `ResNetConfig` fields, by name.
    """
    arguments = (f"{name}={value!r}" for name, value in options.items())
    return f"{model}({', '.join(arguments)})"
