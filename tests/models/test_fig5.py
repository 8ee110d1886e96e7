"""Fig. 5: asymmetric after-addition activation is pre-activation, re-cut.

The network of Fig. 5(b) is built of plain Keras layers as it is drawn there:
the activation after an addition, which is the unit's own, acts on the next
residual branch only. Ours is built of pre-activation units, and given its
weights.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_resnetv2 import ResNetConfig, ResNetV2

CLASSES = 3
IMAGES = (5, 8, 8, 3)  # a batch
KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}
# (filters inside a unit, filters of its output, stride), unit by unit.
UNITS = {
    "basic": ((4, 4, 1), (4, 4, 1), (8, 8, 2), (8, 8, 1)),
    "bottleneck": ((4, 16, 1), (4, 16, 1), (8, 32, 2), (8, 32, 1)),
}
OUR_UNITS = ("stage1_unit1", "stage1_unit2", "stage2_unit1", "stage2_unit2")


def batch_norm(x, name):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def conv(x, filters, size, strides, name):
    x = layers.ZeroPadding2D(size // 2)(x)
    return layers.Conv2D(
        filters, size, strides=strides, use_bias=False, name=name
    )(x)


def activation(x, order, name):
    if order == "full_preactivation":
        x = batch_norm(x, name)
    return layers.ReLU()(x)


def subsampled_with_zeros(x, filters, strides):
    x = layers.AveragePooling2D(1, strides)(x)
    zeros = layers.Rescaling(0.0)(x)
    return layers.Concatenate()([x] + [zeros] * (filters // x.shape[-1] - 1))


def asymmetric_unit(signal, activated, row, order, unit, option, name):
    """To the sum, and to its activation for the next residual branch."""
    inside, filters, strides = row
    x, last = activated, len(KERNELS[unit])
    for i, size in enumerate(KERNELS[unit], 1):
        x = conv(
            x,
            filters if i == last else inside,
            size,
            strides if i == 1 else 1,
            f"{name}_conv{i}",
        )
        if i < last:
            x = layers.ReLU()(batch_norm(x, f"{name}_bn{i}"))
    if order == "relu_only_preactivation":
        x = batch_norm(x, f"{name}_bn{last}")
    if x.shape != signal.shape:
        if option == "padding":
            signal = subsampled_with_zeros(signal, filters, strides)
        else:
            signal = conv(activated, filters, 1, strides, f"{name}_projection")
    signal = layers.Add()([signal, x])
    return signal, activation(signal, order, f"{name}_after_addition")


def fig5_network(order, unit, option):
    images = keras.Input(IMAGES[1:])
    # The first activation stands before the split: both paths carry it.
    x = conv(images, 4, 3, 1, "first_conv")
    x = activated = layers.ReLU()(batch_norm(x, "first_activation"))
    for number, row in enumerate(UNITS[unit]):
        x, activated = asymmetric_unit(
            x, activated, row, order, unit, option, f"unit{number}"
        )
    # The last activation has no residual branch to go to, only the pooling.
    x = layers.GlobalAveragePooling2D()(activated)
    return keras.Model(images, layers.Dense(CLASSES, name="classifier")(x))


def our_names():
    """The layers of Fig. 5's network to those of ours, wherever they are."""
    names = {
        "first_conv": "stem_conv",
        "first_activation": "stem_bn",
        "classifier": "predictions",
        # An activation behind an addition is before the next unit's branch.
        "unit0_after_addition": "stage1_unit2_preact_bn",
        "unit1_after_addition": "stage2_unit1_preact_bn",
        "unit2_after_addition": "stage2_unit2_preact_bn",
        "unit3_after_addition": "head_bn",
    }
    for number, ours in enumerate(OUR_UNITS):
        names[f"unit{number}_projection"] = f"{ours}_shortcut_projection"
        for i in (1, 2, 3):
            names[f"unit{number}_conv{i}"] = f"{ours}_conv{i}"
            names[f"unit{number}_bn{i}"] = f"{ours}_conv{i}_bn"
    return names


def weights_by_our_names(fig5):
    names = our_names()
    return {
        f"{names[layer.name]}/{weight.name}": weight
        for layer in fig5.layers
        for weight in layer.weights
    }


def gradients(model, weights, images, labels):
    """Of a training step's loss, by the images and the trainable weights."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images = tf.Variable(images)
    sources = {"images": images}
    sources |= {n: w.value for n, w in weights.items() if w.trainable}
    with tf.GradientTape() as tape:
        value = loss(labels, model(images, training=True))
    return tape.gradient(value, sources)


def unbiased(layer, before):
    """The moving variance that ours has, from the biased one of Keras."""
    count = IMAGES[0] * np.prod(layer.input.shape[1:3])
    old = 0.9 * before
    return old + (layer.moving_variance - old) * count / (count - 1)


@pytest.mark.parametrize("option", ["padding", "projection"])
@pytest.mark.parametrize("unit", KERNELS)
@pytest.mark.parametrize(
    "order", ["full_preactivation", "relu_only_preactivation"]
)
def test_units_cut_either_way_are_one_network(order, unit, option, agree):
    keras.config.set_dtype_policy("float64")
    fig5 = fig5_network(order, unit, option)
    config = ResNetConfig(
        units_per_stage=(2, 2),
        widths=(4, 8),
        classes=CLASSES,
        activation_order=order,
        unit=unit,
        dimension_change=option,
    )
    ours = ResNetV2(config, input_shape=IMAGES[1:], classifier_activation=None)
    theirs = weights_by_our_names(fig5)
    mine = {weight.path: weight for weight in ours.weights}
    assert mine.keys() == theirs.keys()
    rng = np.random.default_rng(0)
    for name, weight in theirs.items():
        if weight.name != "kernel":  # not the ones and zeros of the start
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        mine[name].assign(weight)

    images = rng.normal(size=IMAGES)
    agree("Fig. 5: outputs", ours(images), fig5(images), 1e-10)

    names = our_names()
    norms = {
        names[layer.name]: layer
        for layer in fig5.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    before = {n: np.array(bn.moving_variance) for n, bn in norms.items()}
    labels = np.arange(len(images)) % CLASSES
    agree(
        "Fig. 5: gradients",
        gradients(ours, mine, images, labels),
        gradients(fig5, theirs, images, labels),
        1e-10,
    )
    agree(
        "Fig. 5: moving means",
        {n: mine[f"{n}/moving_mean"] for n in norms},
        {n: bn.moving_mean for n, bn in norms.items()},
        1e-10,
    )
    agree(
        "Fig. 5: moving variances",
        {n: mine[f"{n}/moving_variance"] for n in norms},
        {n: unbiased(bn, before[n]) for n, bn in norms.items()},
        1e-10,
    )
