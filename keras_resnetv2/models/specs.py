"""A network's parts as data: the stem and the units."""

import dataclasses
import fractions


@dataclasses.dataclass(frozen=True)
class Stem:
    """Convolutions, BN and ReLU, and for large images a max-pool.

    Between two convolutions there are always BN and ReLU.

    Attributes:
        input_size: default height and width of the images in pixels.
        convs: (kernel size, filters as a part of the first stage's width) per
            convolution.
        conv_strides: stride of the first convolution.
        pooled: whether a 3x3 max-pool of stride 2 follows.
    """

    input_size: int
    convs: tuple[tuple[int, fractions.Fraction], ...]
    conv_strides: int
    pooled: bool

    @property
    def strides(self) -> int:
        """Input pixels per pixel of the stem's map, along one side."""
        return self.conv_strides * (2 if self.pooled else 1)


def _three_convs(*parts):
    return tuple((3, fractions.Fraction(part)) for part in parts)


_ALL = fractions.Fraction(1)
STEMS = {
    "cifar": Stem(32, ((3, _ALL),), conv_strides=1, pooled=False),
    "imagenet": Stem(224, ((7, _ALL),), conv_strides=2, pooled=True),
    # He et al., 2019, Fig. 2(b), ResNet-C; and timm's narrower variant.
    "imagenet_deep": Stem(
        224, _three_convs("1/2", "1/2", "1"), conv_strides=2, pooled=True
    ),
    "imagenet_tiered": Stem(
        224, _three_convs("3/8", "1/2", "1"), conv_strides=2, pooled=True
    ),
}

# (Kernel size, filters as a multiple of the stage's width) per convolution.
UNITS = {
    "single": ((3, 1),),
    "basic": ((3, 1), (3, 1)),
    "bottleneck": ((1, 1), (3, 1), (1, 4)),
}

# The options of each shortcut, with the paper's defaults.
SHORTCUT_OPTIONS = {
    "constant_scaling": {"shortcut_scale": 0.5, "residual_scale": 0.5},
    "exclusive_gating": {"gate_bias": -6.0},
    "shortcut_only_gating": {"gate_bias": -6.0},
    "dropout": {"dropout_rate": 0.5},
}


@dataclasses.dataclass(frozen=True)
class BatchNormSpec:
    """The settings of a batch normalization.

    Attributes:
        kind: a name in `BATCH_NORMALIZATIONS`.
        epsilon: added to the variance.
        momentum: weight of the old moving statistics.
    """

    kind: str
    epsilon: float
    momentum: float


@dataclasses.dataclass(frozen=True)
class UnitSpec:
    """The settings of one unit.

    Attributes:
        unit: a name in `UNITS`.
        width: filters of the stage; the unit's output has `filters`.
        strides: stride of the unit.
        strided_conv: index of the convolution that has the stride.
        preactivated: whether the unit has its own pre-activation; the first
            unit of a network uses the stem's.
        activation_order: a name in `ACTIVATION_ORDERS`.
        shortcut: a name in `SHORTCUTS`; the next four fields are its options.
        dimension_change: a name in `DIMENSION_CHANGES`.
        kernel_initializer: a name in `KERNEL_INITIALIZERS`.
        batch_normalization: of all its batch normalizations.
        biased: the convolutions with a bias: the "last", the "shortcut".
        drop_rate: fraction of the images for which F is dropped in training.
    """

    unit: str
    width: int
    strides: int
    strided_conv: int
    preactivated: bool
    activation_order: str
    shortcut: str
    shortcut_scale: float | None
    residual_scale: float | None
    gate_bias: float | None
    dropout_rate: float | None
    dimension_change: str
    kernel_initializer: str
    batch_normalization: BatchNormSpec
    biased: tuple[str, ...]
    drop_rate: float

    @property
    def filters(self) -> int:
        """Channels of the unit's output."""
        _, multiple = UNITS[self.unit][-1]
        return multiple * self.width

    def bias(self, role: str) -> float | None:
        """Returns a convolution's initial bias; None if it has none."""
        return 0.0 if role in self.biased else None


def shortcuts_with(option: str) -> tuple[str, ...]:
    """Lists the shortcuts that have an option."""
    return tuple(n for n, row in SHORTCUT_OPTIONS.items() if option in row)
