"""The layers of a ResNet, and the only place for their constants.

`complexity` has a version of each function that takes shapes instead of maps.
"""

import functools
import math

import keras

from keras_resnetv2.models.batch_normalization import (
    BatchNormalization,
    replica_of_several,
)
from keras_resnetv2.models.specs import BatchNormSpec

# Untruncated, like Caffe's "msra" and torch's kaiming_normal_.
KERNEL_INITIALIZERS = {"he_normal": "fan_in", "he_normal_fan_out": "fan_out"}


def kernel_initializer(name: str) -> keras.initializers.Initializer:
    """Returns a new He initializer; each kernel needs its own."""
    return keras.initializers.VarianceScaling(
        2.0, KERNEL_INITIALIZERS[name], "untruncated_normal"
    )


@functools.singledispatch
def conv(
    x,
    filters,
    kernel_size,
    *,
    strides=1,
    initializer,
    bias=None,
    activation=None,
    name,
):
    """Applies a convolution with symmetric zero padding and initial `bias`.

    With `padding="same"`, a strided 3x3 convolution pads even sizes only at
    the end. The reference implementations pad both sides equally.
    """
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x = keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        kernel_initializer=kernel_initializer(initializer),
        use_bias=bias is not None,
        bias_initializer=keras.initializers.Constant(bias or 0.0),
        activation=activation,
        name=name,
    )(x)


@functools.singledispatch
def batch_norm(x, spec: BatchNormSpec, *, name):
    """Applies batch normalization."""
    return BatchNormalization(
        epsilon=spec.epsilon,
        momentum=spec.momentum,
        synchronized=spec.kind == "synchronized",
        name=name,
    )(x)


def apply_ops(x, ops, *, batch_normalization, name, out=None):
    """Applies a sequence of "bn" and "relu".

    Args:
        x: the tensor.
        ops: names of operations, in order.
        batch_normalization: a `BatchNormSpec`.
        name: the layers are called `{name}_bn` and `{name}_relu`.
        out: another name for the last layer, if wanted.
    """
    for i, op in enumerate(ops, 1):
        layer_name = out if out and i == len(ops) else f"{name}_{op}"
        if op == "bn":
            x = batch_norm(x, batch_normalization, name=layer_name)
        else:
            x = relu(x, name=layer_name)
    return x


@functools.singledispatch
def relu(x, *, name):
    """Applies rectified linear units."""
    return keras.layers.ReLU(name=name)(x)


@functools.singledispatch
def add(x, y, *, name):
    """Adds two tensors of the same shape."""
    return keras.layers.Add(name=name)([x, y])


@functools.singledispatch
def multiply(x, y, *, name):
    """Multiplies two tensors of the same shape element-wise."""
    return keras.layers.Multiply(name=name)([x, y])


@functools.singledispatch
def rescale(x, scale, offset=0.0, *, name):
    """Multiplies a tensor by a constant, and adds a constant."""
    return keras.layers.Rescaling(scale, offset, name=name)(x)


@functools.singledispatch
def dropout(x, rate, *, noise_shape=None, name):
    """Drops a part of the values in training."""
    return Dropout(rate, noise_shape=noise_shape, name=name)(x)


@functools.singledispatch
def pad_channels(x, filters, strides, *, name):
    """Subsamples a tensor, and appends zero channels."""
    return PaddingShortcut(filters, strides, name=name)(x)


@functools.singledispatch
def max_pool(x, *, padding, name):
    """Applies the ImageNet stem's 3x3 max-pool, stride 2, symmetric padding.

    After a ReLU, a `padding` of 0 has the same effect as minus infinity.
    """
    pad = MinusInfinityPadding if padding else keras.layers.ZeroPadding2D
    x = pad(1, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, strides=2, name=name)(x)


@functools.singledispatch
def average_pool(x, strides, *, name):
    """Averages windows without overlap; those at the end may be smaller."""
    return keras.layers.AveragePooling2D(strides, padding="same", name=name)(x)


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class PaddingShortcut(keras.layers.Layer):
    """Option A: subsamples, and appends zero channels. No parameters.

    Args:
        filters: number of output channels, at least the input's.
        strides: step between the pixels that are kept.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, x):
        """Maps (batch, H, W, C) to (batch, H/strides, W/strides, filters)."""
        if keras.backend.backend() == "tensorflow":
            # The same pixels; with the gradient, five times faster on CPUs.
            x = keras.ops.average_pool(
                x, 1, self.strides, data_format="channels_last"
            )
        else:
            x = x[:, :: self.strides, :: self.strides, :]
        new = self.filters - x.shape[-1]
        return keras.ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, new)])

    def compute_output_shape(self, input_shape):
        """Returns the output's shape; sizes unknown in the input are None."""
        batch, *size, _ = input_shape
        size = [s and -(-s // self.strides) for s in size]
        return (batch, *size, self.filters)

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class MinusInfinityPadding(keras.layers.Layer):
    """Adds pixels of minus infinity on all four sides.

    Args:
        pixels: number of rows and columns on each side.
    """

    def __init__(self, pixels: int, **kwargs):
        super().__init__(**kwargs)
        self.pixels = pixels

    def call(self, x):
        """Maps (batch, H, W, C) to (batch, H + 2 pixels, W + 2 pixels, C)."""
        sides = [(0, 0), (self.pixels,) * 2, (self.pixels,) * 2, (0, 0)]
        return keras.ops.pad(x, sides, constant_values=-math.inf)

    def compute_output_shape(self, input_shape):
        """Returns the output's shape; sizes unknown in the input are None."""
        batch, *size, channels = input_shape
        size = [s and s + 2 * self.pixels for s in size]
        return (batch, *size, channels)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "pixels": self.pixels}


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` with two differences.

    - Under a `tf.distribute` strategy every replica draws its own mask. In
      Keras 3 the replicas have copies of the same seed and draw the same mask.
    - It drops nothing when frozen (`trainable=False`). A frozen
      `BatchNormalization` also keeps its statistics. So a frozen unit computes
      the same as in inference.

    Args:
        rate: dropped fraction, 0 <= rate <= 1; the other values are scaled by
            1 / (1 - rate).
        **kwargs: arguments of `keras.layers.Dropout`.
    """

    def call(self, inputs, training=False):
        """Drops in training; otherwise returns `inputs`, of any shape."""
        training = training and self.trainable
        replica = replica_of_several()
        if not training or not self.rate or replica is None:
            return super().call(inputs, training=training)
        import tensorflow as tf

        # XLA needs int32 seeds.
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        shape = self.noise_shape or (None,) * len(inputs.shape)
        return tf.nn.experimental.stateless_dropout(
            inputs,
            self.rate,
            seed + tf.stack([replica.replica_id_in_sync_group, 0]),
            noise_shape=[
                tf.shape(inputs)[axis] if size is None else size
                for axis, size in enumerate(shape)
            ],
        )
