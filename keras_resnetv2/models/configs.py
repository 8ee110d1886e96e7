"""A network as data: `ResNetConfig`, its validation, and `MODELS`."""

import dataclasses
import itertools
import json
import numbers
import typing
from collections.abc import Iterator
from typing import Literal

from keras_resnetv2._checks import (
    check_choice,
    check_finite,
    check_fraction,
)
from keras_resnetv2.models.shortcuts import SHORTCUT_OPTIONS
from keras_resnetv2.models.stems import STEMS
from keras_resnetv2.models.units import UNITS, UnitSpec

# What a type checker and `ResNetConfig` let through; the tests hold these
# against the tables that say what each name does.
StemName = Literal["cifar", "imagenet"]
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
DimensionChangeName = Literal["padding", "projection"]
BottleneckStrideName = Literal["conv1", "conv2"]
KernelInitializerName = Literal["he_normal", "he_normal_fan_out"]
BatchNormalizationName = Literal["per_replica", "synchronized"]

# Index of the convolution that carries a bottleneck's stride.
BOTTLENECK_STRIDES = {"conv1": 0, "conv2": 1}

_DEPTH_MULTIPLES = {"single": 6, "basic": 6, "bottleneck": 9}


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """Everything that defines a pre-activation (or ablated) ResNet.

    The size is given either by `depth` (the CIFAR nets' arithmetic: 6n+2 layers
    with basic units, n a stage; 9n+2 with bottlenecks, n a stage; 6n+2 with
    single-convolution units, 2n a stage) or by `units_per_stage`.

    Reference: He et al., 2016, Fig. 2 (shortcuts), Fig. 4 (activation orders),
    Fig. 5 (first and last unit), section 5 (networks).

    Attributes:
        depth: number of layers as in the paper, or None.
        units_per_stage: number of residual units in each stage, or None.
        widths: filters of each stage. A bottleneck's output has four times as
            many. Every stage but the first halves the map.
        stem: "cifar" (3x3 convolution) or "imagenet" (7x7/2, 3x3/2 max-pool).
        unit: "basic" (3x3, 3x3), "bottleneck" (1x1, 3x3, 1x1), "single" (3x3).
        classes: default number of classes.
        activation_order: a row of Fig. 4: "original", "bn_after_addition",
            "relu_before_addition", "relu_only_preactivation" or
            "full_preactivation".
        shortcut: a branch of Fig. 2: "identity", "constant_scaling",
            "exclusive_gating", "shortcut_only_gating", "conv" or "dropout".
        shortcut_scale: factor on the shortcut (constant_scaling; None: 0.5).
        residual_scale: factor on F (constant_scaling; None: 0.5).
        gate_bias: initial bias of the gates (gating; None: -6.0).
        dropout_rate: of the shortcut (dropout; None: 0.5).
        dimension_change: where channels or map size change, "padding"
            (option A) or "projection" (option B). None: the paper's choice,
            padding in CIFAR nets of basic or single units, else projection.
        bottleneck_stride: "conv1" (the paper's) or "conv2" (fb.resnet.torch's).
        kernel_initializer: of the convolutions, "he_normal" or
            "he_normal_fan_out".
        batch_normalization: "per_replica" (the paper's) or "synchronized" over
            the replicas of a tf.distribute strategy (TensorFlow only).
        stochastic_depth: in training, the fraction of the images for which the
            last unit drops F; unit l of L drops l/L of it (Huang et al., 2016,
            "Deep Networks with Stochastic Depth"). 0 is off.

    Raises:
        ValueError: for an unknown name, a depth that does not fit its unit, an
            option of a shortcut that was not chosen, or a value out of range.

    Example:
        >>> from keras_resnetv2 import ResNetConfig
        >>> ResNetConfig(depth=26).units
        (4, 4, 4)
        >>> ResNetConfig(depth=29, unit="bottleneck").units
        (3, 3, 3)
    """

    depth: int | None = None
    units_per_stage: tuple[int, ...] | None = None
    widths: tuple[int, ...] = (16, 32, 64)
    stem: StemName = "cifar"
    unit: UnitName = "basic"
    classes: int = 10
    activation_order: ActivationOrderName = "full_preactivation"
    shortcut: ShortcutName = "identity"
    shortcut_scale: float | None = None
    residual_scale: float | None = None
    gate_bias: float | None = None
    dropout_rate: float | None = None
    dimension_change: DimensionChangeName | None = None
    bottleneck_stride: BottleneckStrideName = "conv1"
    kernel_initializer: KernelInitializerName = "he_normal"
    batch_normalization: BatchNormalizationName = "per_replica"
    stochastic_depth: float = 0.0

    def __post_init__(self):
        for field in ("units_per_stage", "widths"):  # lists come from JSON
            if isinstance(getattr(self, field), list):
                object.__setattr__(self, field, tuple(getattr(self, field)))
        _check_choices(self)
        _check_bottleneck_stride(self)
        _check_size(self)
        _check_shortcut_options(self)
        check_fraction(
            "stochastic_depth", self.stochastic_depth, "the last unit drops"
        )
        _check_padding(self)

    @property
    def units(self) -> tuple[int, ...]:
        """Number of residual units in each stage."""
        if self.units_per_stage is not None:
            return self.units_per_stage
        layers = (self.depth - 2) // len(self.widths)
        return (layers // len(UNITS[self.unit]),) * len(self.widths)

    @property
    def bridge(self) -> str:
        """`dimension_change`, or the paper's choice where that is None."""
        if self.dimension_change is not None:
            return self.dimension_change
        if self.stem == "cifar" and self.unit != "bottleneck":
            return "padding"
        return "projection"

    @property
    def input_size(self) -> int:
        """Height and width of the default input in pixels."""
        return STEMS[self.stem].input_size

    @property
    def strides(self) -> int:
        """Input pixels per pixel of the last stage's map, along one side."""
        return STEMS[self.stem].strides * 2 ** (len(self.widths) - 1)

    def to_json(self) -> str:
        """As one JSON object of all fields."""
        # NumPy's numbers become Python's.
        return json.dumps(dataclasses.asdict(self), default=lambda n: n.item())

    @classmethod
    def from_json(cls, text: str) -> "ResNetConfig":
        """The inverse of `to_json`."""
        return cls(**json.loads(text))

    def unit_specs(self) -> Iterator[tuple[str, UnitSpec]]:
        """Yields (layer name prefix, spec) of every unit, first to last."""
        options = {
            **{field: getattr(self, field) for field in _OPTION_FIELDS},
            **SHORTCUT_OPTIONS.get(self.shortcut, {}),
        }
        options |= {
            key: getattr(self, key)
            for key in SHORTCUT_OPTIONS.get(self.shortcut, {})
            if getattr(self, key) is not None
        }
        strided = BOTTLENECK_STRIDES[self.bottleneck_stride]
        place = itertools.count(1)
        for s, (units, width) in enumerate(zip(self.units, self.widths)):
            for u in range(units):
                yield (
                    f"stage{s + 1}_unit{u + 1}",
                    UnitSpec(
                        unit=self.unit,
                        width=width,
                        strides=2 if s > 0 and u == 0 else 1,
                        strided_conv=strided
                        if self.unit == "bottleneck"
                        else 0,
                        preactivated=(s, u) != (0, 0),
                        activation_order=self.activation_order,
                        shortcut=self.shortcut,
                        dimension_change=self.bridge,
                        kernel_initializer=self.kernel_initializer,
                        batch_normalization=self.batch_normalization,
                        drop_rate=self.stochastic_depth
                        * next(place)
                        / sum(self.units),
                        **options,
                    ),
                )


# By field, the names that its type has.
CHOICES = {
    field.name: typing.get_args(kind)
    for field in dataclasses.fields(ResNetConfig)
    for kind in (field.type, *typing.get_args(field.type))
    if typing.get_origin(kind) is Literal
}

_OPTION_FIELDS = tuple(
    dict.fromkeys(key for row in SHORTCUT_OPTIONS.values() for key in row)
)


def check_config(config) -> None:
    """Refuses what is no `ResNetConfig`.

    Raises:
        ValueError: says what came and where to get one.
    """
    if not isinstance(config, ResNetConfig):
        raise ValueError(
            f"config must be a ResNetConfig; received {config!r}. Take one "
            "from keras_resnetv2.MODELS or make one."
        )


def _check_choices(config):
    for field, choices in CHOICES.items():
        value = getattr(config, field)
        if field == "dimension_change" and value is None:
            continue
        check_choice(field, value, choices)


def _check_bottleneck_stride(config):
    if config.bottleneck_stride != "conv1" and config.unit != "bottleneck":
        raise ValueError(
            f"bottleneck_stride={config.bottleneck_stride!r} does nothing with "
            f'unit={config.unit!r}. Leave it out, or choose unit="bottleneck".'
        )


def _positive_int(value) -> bool:
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and value > 0
    )


def _check_size(config):
    if (config.depth is None) == (config.units_per_stage is None):
        raise ValueError(
            "A network's size is given by depth or by units_per_stage, one of "
            f"the two; received depth={config.depth!r}, "
            f"units_per_stage={config.units_per_stage!r}."
        )
    for field in ("widths", "units_per_stage"):
        value = getattr(config, field)
        if value is None:
            continue
        if not (
            isinstance(value, tuple)
            and value
            and all(map(_positive_int, value))
        ):
            raise ValueError(
                f"{field} must be a non-empty tuple of positive integers, one "
                f"a stage; received {value!r}."
            )
    if config.depth is None:
        if len(config.units_per_stage) != len(config.widths):
            raise ValueError(
                "units_per_stage and widths must have one entry a stage each; "
                f"received units_per_stage={config.units_per_stage} and "
                f"widths={config.widths}."
            )
    else:
        _check_depth(config)
    if not _positive_int(config.classes):
        raise ValueError(
            f"classes must be a positive integer; received {config.classes!r}."
        )


def _check_depth(config):
    if len(config.widths) != 3:
        raise ValueError(
            "depth counts the layers of a net of three stages; received "
            f"depth={config.depth} with widths={config.widths}. Give "
            "units_per_stage instead."
        )
    multiple = _DEPTH_MULTIPLES[config.unit]
    depth = config.depth
    if not _positive_int(depth) or depth <= 2 or (depth - 2) % multiple:
        below = depth - (depth - 2) % multiple if _positive_int(depth) else 2
        nearest = [str(d) for d in (below, below + multiple) if d > 2]
        raise ValueError(
            f"With {config.unit} units the depth must be {multiple}n+2; "
            f"received depth={depth!r}. Nearest: {' or '.join(nearest)}."
        )


def _check_shortcut_options(config):
    allowed = SHORTCUT_OPTIONS.get(config.shortcut, {})
    for field in _OPTION_FIELDS:
        value = getattr(config, field)
        if value is None:
            continue
        if field not in allowed:
            users = [n for n, row in SHORTCUT_OPTIONS.items() if field in row]
            raise ValueError(
                f"{field} does nothing with shortcut={config.shortcut!r}; "
                f"received {field}={value!r}. Leave it out, or choose "
                f"shortcut={' or '.join(map(repr, users))}."
            )
        check_finite(field, value)
        if field == "dropout_rate":
            check_fraction(field, value, "dropped")


def _check_padding(config):
    if config.bridge != "padding" or config.shortcut == "conv":
        return
    filters = [config.widths[0]]
    filters += [spec.filters for _, spec in config.unit_specs()]
    if any(after < before for before, after in zip(filters, filters[1:])):
        raise ValueError(
            "Option A can only append channels; received "
            f"widths={config.widths}, which take some away. Use "
            'dimension_change="projection".'
        )


def _cifar(depth, **kwargs):
    return ResNetConfig(depth=depth, **kwargs)


def _imagenet(units_per_stage, unit):
    return ResNetConfig(
        units_per_stage=units_per_stage,
        unit=unit,
        stem="imagenet",
        widths=(64, 128, 256, 512),
        classes=1000,
    )


# The paper's sections 3 to 5 (CIFAR) and 5 (ImageNet); 32 to 56 and 1202 are
# He et al., 2015's depths with this paper's units.
MODELS = {
    "PreActResNet20": _cifar(20),
    "PreActResNet32": _cifar(32),
    "PreActResNet44": _cifar(44),
    "PreActResNet56": _cifar(56),
    "PreActResNet110": _cifar(110),
    "PreActResNet1202": _cifar(1202),
    "PreActResNet164": _cifar(164, unit="bottleneck"),
    "PreActResNet1001": _cifar(1001, unit="bottleneck"),
    "ResNet18V2": _imagenet((2, 2, 2, 2), "basic"),
    "ResNet34V2": _imagenet((3, 4, 6, 3), "basic"),
    "ResNet50V2": _imagenet((3, 4, 6, 3), "bottleneck"),
    "ResNet101V2": _imagenet((3, 4, 23, 3), "bottleneck"),
    "ResNet152V2": _imagenet((3, 8, 36, 3), "bottleneck"),
    "ResNet200V2": _imagenet((3, 24, 36, 3), "bottleneck"),
}


def find_config(name: str) -> ResNetConfig:
    """Looks a model up by name, without regard to case.

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
