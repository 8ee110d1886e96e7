"""Fig. 2: the shortcut branches, and the shortcuts between dimensions.

Every function of `SHORTCUTS` takes a unit's raw input `x`, the `activated`
input (after the unit's pre-activation; `x` itself if there is none) and the
`residual` branch F. It returns the two tensors to add.
"""

from keras_resnetv2.models import layers


def identity(x, activated, residual, spec, name):
    """Fig. 2(a): x + F."""
    return _change_dimensions(x, activated, spec, name), residual


def constant_scaling(x, activated, residual, spec, name):
    """Fig. 2(b): lambda x + (1 - lambda) F; the two factors are independent."""
    shortcut = _change_dimensions(x, activated, spec, name)
    return (
        _scale(shortcut, spec.shortcut_scale, f"{name}_shortcut_scale"),
        _scale(residual, spec.residual_scale, f"{name}_residual_scale"),
    )


def exclusive_gating(x, activated, residual, spec, name):
    """Fig. 2(c): (1 - g(x)) x + g(x) F."""
    gate = _gate(x, spec, name)
    residual = layers.multiply(residual, gate, name=f"{name}_residual_gated")
    return _gated_shortcut(x, activated, gate, spec, name), residual


def shortcut_only_gating(x, activated, residual, spec, name):
    """Fig. 2(d): (1 - g(x)) x + F."""
    gate = _gate(x, spec, name)
    return _gated_shortcut(x, activated, gate, spec, name), residual


def conv(x, activated, residual, spec, name):
    """Fig. 2(e): conv1x1(x) + F; it also replaces option A or B."""
    shortcut = layers.conv(
        x,
        spec.filters,
        1,
        strides=spec.strides,
        initializer=spec.kernel_initializer,
        name=f"{name}_shortcut_conv",
    )
    return shortcut, residual


def dropout(x, activated, residual, spec, name):
    """Fig. 2(f): x with dropout, + F."""
    shortcut = _change_dimensions(x, activated, spec, name)
    shortcut = layers.dropout(
        shortcut, spec.dropout_rate, name=f"{name}_shortcut_dropout"
    )
    return shortcut, residual


SHORTCUTS = {
    "identity": identity,
    "constant_scaling": constant_scaling,
    "exclusive_gating": exclusive_gating,
    "shortcut_only_gating": shortcut_only_gating,
    "conv": conv,
    "dropout": dropout,
}


def padding(x, activated, spec, name):
    """Option A: subsamples the raw signal, and appends zero channels."""
    return layers.pad_channels(
        x, spec.filters, spec.strides, name=f"{name}_shortcut_padding"
    )


def projection(x, activated, spec, name):
    """Option B: 1x1 convolution, after the pre-activation if there is one.

    In the original unit it has its own BN (He et al., 2015).
    """
    return _projection(activated, spec.strides, spec, name)


def pooled_projection(x, activated, spec, name):
    """Option B after an average pooling, which has the stride.

    Reference: He et al., "Bag of Tricks for Image Classification with
    Convolutional Neural Networks", 2019, Fig. 2(c), ResNet-D.
    """
    if spec.strides > 1:
        activated = layers.average_pool(
            activated, spec.strides, name=f"{name}_shortcut_pool"
        )
    return _projection(activated, 1, spec, name)


def _projection(x, strides, spec, name):
    name = f"{name}_shortcut_projection"
    shortcut = layers.conv(
        x,
        spec.filters,
        1,
        strides=strides,
        initializer=spec.kernel_initializer,
        bias=spec.bias("shortcut"),
        name=name,
    )
    if spec.activation_order == "original":
        shortcut = layers.batch_norm(
            shortcut, spec.batch_normalization, name=f"{name}_bn"
        )
    return shortcut


DIMENSION_CHANGES = {
    "padding": padding,
    "projection": projection,
    "pooled_projection": pooled_projection,
}


def _change_dimensions(x, activated, spec, name):
    if spec.strides == 1 and x.shape[-1] == spec.filters:
        return x
    return DIMENSION_CHANGES[spec.dimension_change](x, activated, spec, name)


def _scale(x, factor, name):
    return x if factor == 1 else layers.rescale(x, factor, name=name)


def _gate(x, spec, name):
    """g(x) = sigmoid(W_g x + b_g), element-wise, as many channels as F."""
    return layers.conv(
        x,
        spec.filters,
        1,
        strides=spec.strides,
        initializer=spec.kernel_initializer,
        bias=spec.gate_bias,
        activation="sigmoid",
        name=f"{name}_gate",
    )


def _gated_shortcut(x, activated, gate, spec, name):
    rest = layers.rescale(gate, -1.0, 1.0, name=f"{name}_one_minus_gate")
    shortcut = _change_dimensions(x, activated, spec, name)
    return layers.multiply(shortcut, rest, name=f"{name}_shortcut_gated")
