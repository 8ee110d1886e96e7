"""The layers of a ResNet and the one place where their constants live."""

import keras

from keras_resnetv2.models.batch_normalization import BatchNormalization

# Untruncated, as Caffe's "msra" and torch's kaiming_normal_ draw it.
KERNEL_INITIALIZERS = {"he_normal": "fan_in", "he_normal_fan_out": "fan_out"}


def kernel_initializer(name: str) -> keras.initializers.Initializer:
    """Returns a fresh He initializer (one instance draws one kernel)."""
    return keras.initializers.VarianceScaling(
        2.0, KERNEL_INITIALIZERS[name], "untruncated_normal"
    )


def conv(x, filters, kernel_size, *, strides=1, initializer, name, **kwargs):
    """Convolution with symmetric zero padding and, by default, no bias.

    `padding="same"` pads a strided 3x3 on even sizes at the end only; the
    reference implementations pad both sides alike.
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
        name=name,
        **{"use_bias": False, **kwargs},
    )(x)


def batch_norm(x, *, kind, name):
    """Batch normalization with the paper's epsilon and momentum."""
    return BatchNormalization(synchronized=kind == "synchronized", name=name)(x)


def apply_ops(x, ops, *, batch_normalization, name, out=None):
    """Applies a sequence of "bn" and "relu".

    Args:
        x: the tensor.
        ops: names of operations, in order.
        batch_normalization: a name in `BATCH_NORMALIZATIONS`.
        name: the layers are called `{name}_bn` and `{name}_relu`.
        out: the name of the last of them, where it shall have another.
    """
    for i, op in enumerate(ops, 1):
        layer_name = out if out and i == len(ops) else f"{name}_{op}"
        if op == "bn":
            x = batch_norm(x, kind=batch_normalization, name=layer_name)
        else:
            x = keras.layers.ReLU(name=layer_name)(x)
    return x


def max_pool(x, *, name):
    """The ImageNet stem's 3x3 pooling, stride 2, symmetric padding.

    It stands behind a ReLU, where padding with 0 and with -inf are the same.
    """
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, strides=2, name=name)(x)


@keras.saving.register_keras_serializable(package="keras_resnetv2")
class PaddingShortcut(keras.layers.Layer):
    """Option A: subsamples, and appends zero channels. No parameters.

    Args:
        filters: number of output channels, at least the input's.
        strides: every how many pixels one is kept.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, x):
        """Maps (batch, H, W, C) to (batch, H/strides, W/strides, filters)."""
        x = x[:, :: self.strides, :: self.strides, :]
        new = self.filters - x.shape[-1]
        return keras.ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, new)])

    def compute_output_shape(self, input_shape):
        """Shape of the output, with None where the input's is unknown."""
        batch, *size, _ = input_shape
        size = [s and -(-s // self.strides) for s in size]
        return (batch, *size, self.filters)

    def get_config(self):
        """The constructor's arguments."""
        config = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **config}
