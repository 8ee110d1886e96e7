"""Parameters, work and activation memory of a network, from its config alone.

`complexity` goes the way of `builder.ResNetV2`, `_unit` that of
`units.residual_unit` and the tables those of `shortcuts`, step by step, with a
map's shape in the place of the map.
"""

import dataclasses

from keras_resnetv2.models import inputs as inputs_lib
from keras_resnetv2.models.activations import (
    ACTIVATION_ORDERS,
    BETWEEN,
    STEM,
    end_of_network,
)
from keras_resnetv2.models.configs import ResNetConfig, check_config
from keras_resnetv2.models.stems import STEMS
from keras_resnetv2.models.unit_spec import UNITS


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The size of a network, and its work and memory for one image.

    Attributes:
        parameters: trainable parameters, batch normalization's included.
        multiply_adds: of the convolutions and the classifier in the forward
            pass of one image; He et al. call them FLOPs.
        activations: values of one image that a training step keeps from the
            forward to the backward pass; each is 4 bytes in float32, 2 in
            mixed precision.
    """

    parameters: int
    multiply_adds: int
    activations: int


def complexity(
    config: ResNetConfig,
    *,
    classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
) -> Complexity:
    """Counts a network's parameters, multiply-adds and activations.

    Nothing is built. The network is the whole one, with its classifier and
    softmax. Multiply-adds are those of all convolutions (stem, units,
    shortcuts, gates) and of the classifier. Biases, batch normalization, ReLU,
    pooling, additions and the products of scaling and gating are not counted.

    Activations are the tensors that the gradients need, each once, however many
    layers need it: the inputs of convolutions (the zero-padded copy, where a
    stride makes one), of batch normalizations and of the classifier; the
    outputs of ReLU, sigmoid and softmax; max-pooling's input and output; both
    factors of a gate's products; dropout's mask, which is one value an image
    in stochastic depth. Additions, constant factors, option A and the average
    pooling need none. Nothing is computed twice to save memory, and no two
    layers are fused.

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
        >>> from keras_resnetv2 import ResNetConfig, complexity
        >>> complexity(ResNetConfig(depth=8))
        Complexity(parameters=75290, multiply_adds=12239488, activations=179466)
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

    layers = _Layers()
    x = _stem(_Map(*map(int, images)), config, layers)
    for _, spec in config.unit_specs():
        x = _unit(x, spec, layers)
    order = ACTIVATION_ORDERS[config.activation_order]
    x = layers.apply_ops(x, end_of_network(order))
    pooled = _Map(1, 1, x.channels)
    predictions = layers.conv(pooled, config.classes, 1, bias=True)
    layers.keep(predictions)  # softmax
    return layers.total()


@dataclasses.dataclass(frozen=True, eq=False)
class _Map:
    """The shape of one image's map; two maps of one shape are two."""

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

    def like(self):
        return self.to(self.channels)

    def padded(self, pixels):
        return _Map(
            self.height + 2 * pixels, self.width + 2 * pixels, self.channels
        )


class _Layers:
    """Layers that count what they cost, and keep what their gradients need."""

    def __init__(self):
        self._parameters = 0
        self._multiply_adds = 0
        self._kept = set()

    def total(self):
        return Complexity(
            self._parameters,
            self._multiply_adds,
            sum(x.height * x.width * x.channels for x in self._kept),
        )

    def keep(self, *maps):
        self._kept.update(maps)

    def conv(self, x, channels, kernel_size, strides=1, bias=False):
        y = x.to(channels, strides)
        kernel = kernel_size**2 * x.channels * y.channels
        self._parameters += kernel + (y.channels if bias else 0)
        self._multiply_adds += kernel * y.height * y.width
        pad = strides > 1 and kernel_size > 1
        self.keep(x.padded(kernel_size // 2) if pad else x)
        return y

    def apply_ops(self, x, ops):
        for op in ops:
            y = x.like()
            if op == "bn":
                self._parameters += 2 * x.channels  # gamma and beta
                self.keep(x)
            else:
                self.keep(y)
            x = y
        return x

    def max_pool(self, x):
        y = x.to(x.channels, 2)
        self.keep(x.padded(1), y)
        return y


def _stem(x, config, layers):
    stem = STEMS[config.stem]
    x = layers.conv(
        x, config.widths[0], stem.kernel_size, strides=stem.conv_strides
    )
    x = layers.apply_ops(x, STEM)
    return layers.max_pool(x) if stem.pooled else x


def _unit(x, spec, layers):
    order = ACTIVATION_ORDERS[spec.activation_order]
    convs = UNITS[spec.unit]

    before = order.before if spec.preactivated else ()
    activated = layers.apply_ops(x, before)
    residual = activated
    for i, (kernel_size, multiple) in enumerate(convs):
        residual = layers.conv(
            residual,
            multiple * spec.width,
            kernel_size,
            strides=spec.strides if i == spec.strided_conv else 1,
        )
        last = i == len(convs) - 1
        residual = layers.apply_ops(residual, order.after if last else BETWEEN)

    _SHORTCUTS[spec.shortcut](x, activated, residual, spec, layers)
    if spec.drop_rate:
        layers.keep(_Map(1, 1, 1))  # an image's branch is dropped as a whole
    return layers.apply_ops(residual.like(), order.after_addition)


def _bridge(x, activated, residual, spec, layers):
    if spec.strides == 1 and x.channels == spec.filters:
        return x
    return _DIMENSION_CHANGES[spec.dimension_change](x, activated, spec, layers)


def _exclusive_gating(x, activated, residual, spec, layers):
    gate = _shortcut_only_gating(x, activated, residual, spec, layers)
    layers.keep(residual, gate)


def _shortcut_only_gating(x, activated, residual, spec, layers):
    gate = _conv_shortcut(x, activated, residual, spec, layers, bias=True)
    layers.keep(gate)  # sigmoid
    one_minus_gate = gate.like()
    shortcut = _bridge(x, activated, residual, spec, layers)
    layers.keep(shortcut, one_minus_gate)
    return gate


def _conv_shortcut(x, activated, residual, spec, layers, bias=False):
    return layers.conv(x, spec.filters, 1, strides=spec.strides, bias=bias)


def _dropout(x, activated, residual, spec, layers):
    shortcut = _bridge(x, activated, residual, spec, layers)
    if spec.dropout_rate:
        layers.keep(shortcut.like())  # the mask


# Fig. 2. A gate's products need both of their factors.
_SHORTCUTS = {
    "identity": _bridge,
    "constant_scaling": _bridge,
    "exclusive_gating": _exclusive_gating,
    "shortcut_only_gating": _shortcut_only_gating,
    "conv": _conv_shortcut,
    "dropout": _dropout,
}


def _padding(x, activated, spec, layers):
    return x.to(spec.filters, spec.strides)


def _projection(x, activated, spec, layers):
    shortcut = layers.conv(activated, spec.filters, 1, strides=spec.strides)
    ops = ("bn",) if spec.activation_order == "original" else ()
    return layers.apply_ops(shortcut, ops)


_DIMENSION_CHANGES = {"padding": _padding, "projection": _projection}
