"""Counts a network's parameters, work and activation memory by its config.

Shapes instead of tensors go through the builder's code. For this, every layer
function has a second version that takes shapes and counts.
"""

import dataclasses

from keras_resnetv2.models import inputs as inputs_lib
from keras_resnetv2.models import layers
from keras_resnetv2.models.builder import body
from keras_resnetv2.models.configs import ResNetConfig, check_config


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The size of a network, and its work and memory for one image.

    Attributes:
        parameters: number of trainable parameters, including batch
            normalization's.
        multiply_adds: multiply-adds of the convolutions and the classifier in
            the forward pass of one image; He et al. call them FLOPs.
        activations: number of values of one image that a training step keeps
            for the backward pass. Each has 4 bytes in float32, 2 in mixed
            precision.
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

    The network is not built. It counts with its classifier and softmax.
    Multiply-adds are those of all convolutions (stem, units, shortcuts, gates)
    and of the classifier. Biases, batch normalization, ReLU, pooling, additions
    and the products of scaling and gating are not counted.

    Activations are the tensors that the gradients need. Each counts once, even
    if several layers need it. They are: the inputs of convolutions (the
    zero-padded copy, if a stride makes one), of batch normalizations and of
    the classifier; the outputs of ReLU, sigmoid and softmax; max-pooling's
    input and output; both factors of a gate's products; dropout's mask, which
    in stochastic depth is one value per image. Additions, constant factors,
    option A and average poolings need none. Recomputation and fused layers
    are not considered.

    Reference: He et al., "Deep Residual Learning for Image Recognition", 2015,
    Table 1, "FLOPs".

    Args:
        config: the network.
        classes: number of classes; defaults to `config.classes`.
        input_shape: (H, W, C) of one image. Defaults to (32, 32, 3) for a CIFAR
            stem, (224, 224, 3) for an ImageNet stem, (299, 299, 3) with
            reference="keras_applications". The number of parameters depends
            only on C.

    Returns:
        A `Complexity`.

    Raises:
        ValueError: if config, classes or input_shape are invalid, or height or
            width is None.

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
            "Multiply-adds depend on the size of the images; received "
            f"input_shape={input_shape!r}. Give height and width in pixels."
        )

    counts = _Counts()
    x = body(_Map(counts, *map(int, images)), config)
    pooled = _Map(counts, 1, 1, x.channels)
    layers.conv(
        pooled,
        config.classes,
        1,
        initializer=None,
        bias=0.0,
        activation="softmax",
        name=None,
    )
    return Complexity(
        counts.parameters,
        counts.multiply_adds,
        sum(map.height * map.width * map.channels for map in counts.kept),
    )


class _Counts:
    """The sums over the layers so far.

    Attributes:
        parameters: number of trainable parameters.
        multiply_adds: multiply-adds of one image's forward pass.
        kept: the maps that gradients need.
    """

    def __init__(self):
        self.parameters = 0
        self.multiply_adds = 0
        self.kept = set()


@dataclasses.dataclass(frozen=True, eq=False)
class _Map:
    """The shape of one image's map; maps of the same shape are not equal."""

    counts: _Counts
    height: int
    width: int
    channels: int

    @property
    def shape(self):
        return (None, self.height, self.width, self.channels)

    def to(self, channels, strides=1):
        """Returns a layer's output map; sizes are rounded up."""
        return _Map(
            self.counts,
            -(-self.height // strides),
            -(-self.width // strides),
            channels,
        )

    def like(self):
        return self.to(self.channels)

    def padded(self, pixels):
        return dataclasses.replace(
            self,
            height=self.height + 2 * pixels,
            width=self.width + 2 * pixels,
        )

    def keep(self):
        self.counts.kept.add(self)


@layers.conv.register
def _conv(
    x: _Map,
    filters,
    kernel_size,
    *,
    strides=1,
    bias=None,
    activation=None,
    **unused,
):
    y = x.to(filters, strides)
    kernel = kernel_size**2 * x.channels * y.channels
    x.counts.parameters += kernel + (0 if bias is None else y.channels)
    x.counts.multiply_adds += kernel * y.height * y.width
    is_padded = strides > 1 and kernel_size > 1
    (x.padded(kernel_size // 2) if is_padded else x).keep()
    if activation:
        y.keep()
    return y


@layers.batch_norm.register
def _batch_norm(x: _Map, spec, **unused):
    x.counts.parameters += 2 * x.channels  # gamma and beta
    x.keep()
    return x.like()


@layers.relu.register
def _relu(x: _Map, **unused):
    y = x.like()
    y.keep()
    return y


@layers.average_pool.register
def _average_pool(x: _Map, strides, **unused):
    return x.to(x.channels, strides)


@layers.max_pool.register
def _max_pool(x: _Map, **unused):
    x.padded(1).keep()
    y = x.to(x.channels, 2)
    y.keep()
    return y


@layers.add.register
def _add(x: _Map, y, **unused):
    return x.like()


@layers.multiply.register
def _multiply(x: _Map, y, **unused):
    x.keep()
    y.keep()
    return x.like()


@layers.rescale.register
def _rescale(x: _Map, scale, offset=0.0, **unused):
    return x.like()


@layers.dropout.register
def _dropout(x: _Map, rate, *, noise_shape=None, **unused):
    if rate:
        mask = x.like() if noise_shape is None else _Map(x.counts, 1, 1, 1)
        mask.keep()
    return x.like()


@layers.pad_channels.register
def _pad_channels(x: _Map, filters, strides, **unused):
    return x.to(filters, strides)
