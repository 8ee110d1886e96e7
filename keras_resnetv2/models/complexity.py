"""Parameters and multiply-adds of a network, from its config alone.

`complexity` goes the way of `builder.ResNetV2`, `_unit` that of
`units.residual_unit` and the tables those of `shortcuts`, step by step, with a
map's shape in the place of the map.
"""

import dataclasses
from typing import NamedTuple

from keras_resnetv2.models import inputs as inputs_lib
from keras_resnetv2.models.activations import (
    ACTIVATION_ORDERS,
    BETWEEN,
    STEM,
    end_of_network,
)
from keras_resnetv2.models.configs import ResNetConfig, check_config
from keras_resnetv2.models.stems import STEMS
from keras_resnetv2.models.units import UNITS


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The size of a network and its work on one image.

    Attributes:
        parameters: trainable parameters, batch normalization's included.
        multiply_adds: of the convolutions and the classifier in the forward
            pass of one image; He et al. call them FLOPs.
    """

    parameters: int
    multiply_adds: int

    def __add__(self, other: "Complexity") -> "Complexity":
        return Complexity(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
        )


def complexity(
    config: ResNetConfig,
    *,
    classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
) -> Complexity:
    """Counts the parameters and multiply-adds of a network; builds nothing.

    The network is the whole one, with its classifier. Multiply-adds are those
    of all convolutions (stem, units, shortcuts, gates) and of the classifier.
    Biases, batch normalization, ReLU, pooling, additions and the products of
    scaling and gating are not counted.

    Reference: He et al., "Deep Residual Learning for Image Recognition", 2015,
    Table 1, "FLOPs".

    Args:
        config: the network.
        classes: number of classes; defaults to `config.classes`.
        input_shape: (H, W, C) of one image. Defaults to (32, 32, 3) for a CIFAR
            stem, (224, 224, 3) for an ImageNet stem. The parameters depend on
            its channels alone.

    Returns:
        A `Complexity`.

    Raises:
        ValueError: for what is no config, number of classes or image shape of
            this network, or a shape without numbers for height and width.

    Example:
        >>> from keras_resnetv2 import MODELS, complexity
        >>> complexity(MODELS["PreActResNet20"])
        Complexity(parameters=269722, multiply_adds=40551040)
    """
    check_config(config)
    if classes is not None:
        config = dataclasses.replace(config, classes=classes)
    images = inputs_lib.image_shape(config, input_shape)
    if None in images:
        raise ValueError(
            "Multiply-adds depend on the images' size, which must be known; "
            f"received input_shape={input_shape!r}. Give height and width in "
            "pixels."
        )

    x, total = _stem(_Map(*map(int, images)), config)
    for _, spec in config.unit_specs():
        x, unit = _unit(x, spec)
        total += unit
    order = ACTIVATION_ORDERS[config.activation_order]
    total += _ops(end_of_network(order), x)
    pooled = _Map(1, 1, x.channels)
    predictions = pooled.to(config.classes)
    return total + _conv(pooled, predictions, 1, bias=True)


class _Map(NamedTuple):
    """The shape of one image's map."""

    height: int
    width: int
    channels: int

    def to(self, channels, strides=1):
        """The map that a layer makes of it; a stride rounds up."""
        return _Map(
            -(-self.height // strides),
            -(-self.width // strides),
            int(channels),  # NumPy's integers may be narrow
        )


_NOTHING = Complexity(0, 0)


def _conv(x, y, kernel_size, bias=False):
    kernel = kernel_size**2 * x.channels * y.channels
    return Complexity(
        kernel + (y.channels if bias else 0), kernel * y.height * y.width
    )


def _ops(ops, x):
    return Complexity(ops.count("bn") * 2 * x.channels, 0)  # gamma and beta


def _stem(x, config):
    stem = STEMS[config.stem]
    y = x.to(config.widths[0], stem.conv_strides)
    total = _conv(x, y, stem.kernel_size) + _ops(STEM, y)
    return (y.to(y.channels, 2) if stem.pooled else y), total


def _unit(x, spec):
    order = ACTIVATION_ORDERS[spec.activation_order]
    convs = UNITS[spec.unit]

    total = _ops(order.before if spec.preactivated else (), x)
    residual = x
    for i, (kernel_size, multiple) in enumerate(convs):
        y = residual.to(
            multiple * spec.width,
            strides=spec.strides if i == spec.strided_conv else 1,
        )
        last = i == len(convs) - 1
        total += _conv(residual, y, kernel_size)
        total += _ops(order.after if last else BETWEEN, y)
        residual = y

    total += _SHORTCUTS[spec.shortcut](x, residual, spec)
    return residual, total + _ops(order.after_addition, residual)


def _bridge(x, y, spec):
    if spec.strides == 1 and x.channels == y.channels:
        return _NOTHING
    return _DIMENSION_CHANGES[spec.dimension_change](x, y, spec)


def _gated(x, y, spec):
    """Of W_g x + b_g, and of the shortcut that the gate scales."""
    return _conv(x, y, 1, bias=True) + _bridge(x, y, spec)


def _conv_shortcut(x, y, spec):
    return _conv(x, y, 1)


# Fig. 2
_SHORTCUTS = {
    "identity": _bridge,
    "constant_scaling": _bridge,
    "exclusive_gating": _gated,
    "shortcut_only_gating": _gated,
    "conv": _conv_shortcut,
    "dropout": _bridge,
}


def _padding(x, y, spec):
    return _NOTHING


def _projection(x, y, spec):
    ops = ("bn",) if spec.activation_order == "original" else ()
    return _conv(x, y, 1) + _ops(ops, y)


_DIMENSION_CHANGES = {"padding": _padding, "projection": _projection}
