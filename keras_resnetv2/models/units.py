"""The residual unit: y = h(x) + F(x), x' = f(y). Fig. 4 in one function."""

from keras_resnetv2.models import layers
from keras_resnetv2.models.activations import ACTIVATION_ORDERS, BETWEEN
from keras_resnetv2.models.shortcuts import SHORTCUTS
from keras_resnetv2.models.specs import UNITS, UnitSpec


def residual_unit(x, spec: UnitSpec, name: str):
    """Adds one residual unit to the graph.

    Args:
        x: (batch, H, W, C).
        spec: the unit's settings.
        name: prefix of its layers; the last one is called `{name}_out`.

    Returns:
        (batch, H / spec.strides, W / spec.strides, spec.filters).
    """
    order = ACTIVATION_ORDERS[spec.activation_order]
    bn = {"batch_normalization": spec.batch_normalization}
    convs = UNITS[spec.unit]

    before = order.before if spec.preactivated else ()
    activated = layers.apply_ops(x, before, name=f"{name}_preact", **bn)
    residual = activated
    for i, (kernel_size, multiple) in enumerate(convs):
        last = i == len(convs) - 1
        residual = layers.conv(
            residual,
            multiple * spec.width,
            kernel_size,
            strides=spec.strides if i == spec.strided_conv else 1,
            initializer=spec.kernel_initializer,
            bias=spec.bias("last") if last else None,
            name=f"{name}_conv{i + 1}",
        )
        ops = order.after if last else BETWEEN
        residual = layers.apply_ops(
            residual, ops, name=f"{name}_conv{i + 1}", **bn
        )

    shortcut, residual = SHORTCUTS[spec.shortcut](
        x, activated, residual, spec, name
    )
    residual = _stochastic_depth(residual, spec, name)
    # The shortcut comes first. Keras walks a graph depth first along the first
    # input; along the shortcuts, a unit has only a few nodes.
    out = f"{name}_out"
    y = layers.add(
        shortcut, residual, name=f"{name}_add" if order.after_addition else out
    )
    return layers.apply_ops(
        y, order.after_addition, name=f"{name}_add", out=out, **bn
    )


def _stochastic_depth(residual, spec, name):
    """Drops an image's residual branch, or scales it by 1 / (1 - rate).

    This is the last operation of the branch, so all of F is dropped, including
    its BN, scale and gate. A BN after it would shift the zeros. The shortcut
    keeps its own scale or gate.
    """
    if not spec.drop_rate:
        return residual
    return layers.dropout(
        residual,
        spec.drop_rate,
        noise_shape=(None, 1, 1, 1),
        name=f"{name}_residual_drop",
    )
