"""The fused path against an independent NumPy computation, and Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_resnetv2 import BatchNormalization

EPSILON = 1e-5
# Of the tensor's largest value: half precision's rounding of inputs, outputs.
TOLERANCES = {"float32": 1e-5, "bfloat16": 1e-2, "float16": 2e-3}


def layer_with_weights(channels, **kwargs):
    rng = np.random.default_rng(3)
    layer = BatchNormalization(**kwargs)
    layer.build((None, None, None, channels))
    gamma = rng.uniform(0.5, 2, channels)
    beta, mean = rng.normal(size=(2, channels))
    variance = rng.uniform(0.5, 2, channels)
    layer.set_weights([gamma, beta, mean, variance])
    return layer, gamma, beta, mean, variance


def batch(dtype, shape=(8, 5, 7, 6)):
    x = np.random.default_rng(0).normal(1.0, 3.0, shape)
    # What the layer sees is the rounded value; so does the reference.
    return tf.cast(x, dtype)


def numpy_reference(x, dy, gamma, beta):
    """Output and gradients in float64, from the textbook."""
    axes = (0, 1, 2)
    n = x.size // x.shape[-1]
    mean, var = x.mean(axes), x.var(axes)
    std = np.sqrt(var + EPSILON)
    xhat = (x - mean) / std
    dbeta, dgamma = dy.sum(axes), (dy * xhat).sum(axes)
    dx = gamma / std * (dy - dbeta / n - xhat * dgamma / n)
    return gamma * xhat + beta, dx, dgamma, dbeta, mean, var * n / (n - 1)


def assert_close(actual, expected, tolerance):
    actual = np.array(tf.cast(actual, "float64"))
    worst = np.abs(actual - expected).max() / np.abs(expected).max()
    assert worst < tolerance, worst


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_fused_training(dtype):
    layer, gamma, beta, mean0, var0 = layer_with_weights(
        6, dtype=dtype if dtype == "float32" else f"mixed_{dtype}"
    )
    x = batch(dtype)
    dy = tf.cast(np.random.default_rng(1).normal(size=x.shape), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert y.dtype == dtype
    weights = [layer.gamma.value, layer.beta.value]
    grads = tape.gradient(y, [x, *weights], output_gradients=dy)
    expected = numpy_reference(
        *(np.array(tf.cast(t, "float64")) for t in (x, dy)), gamma, beta
    )
    tolerance = TOLERANCES[dtype]
    for actual, value in zip([y, *grads], expected[:4]):
        assert_close(actual, value, tolerance)
    # The statistics are float32 whatever the input.
    mean, variance = expected[4:]
    assert_close(layer.moving_mean.value, 0.9 * mean0 + 0.1 * mean, 1e-5)
    assert_close(layer.moving_variance.value, 0.9 * var0 + 0.1 * variance, 1e-5)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_fused_inference(dtype):
    layer, gamma, beta, mean, variance = layer_with_weights(
        6, dtype=dtype if dtype == "float32" else f"mixed_{dtype}"
    )
    x = batch(dtype)
    y = layer(x, training=False)
    x = np.array(tf.cast(x, "float64"))
    expected = gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta
    assert_close(y, expected, TOLERANCES[dtype])
    np.testing.assert_array_equal(
        layer.moving_mean.numpy(), mean.astype("float32")
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights(dtype):
    layer = BatchNormalization(dtype=dtype)
    x = batch(dtype)
    for training in (True, False):
        assert layer(x, training=training).dtype == dtype
    assert layer.moving_mean.dtype == dtype
    assert "FusedBatchNormV3" in ops_in_graph(
        layer, (None, 5, 7, 6), dtype, training=True
    )


def ops_in_graph(layer, shape, dtype="float32", **kwargs):
    graph = tf.function(lambda x: layer(x, **kwargs)).get_concrete_function(
        tf.TensorSpec(shape, dtype)
    )
    return {op.type for op in graph.graph.get_operations()}


@pytest.mark.parametrize("training", [True, False])
def test_the_fused_op_is_what_runs(training):
    for dtype in TOLERANCES:
        policy = dtype if dtype == "float32" else f"mixed_{dtype}"
        layer = layer_with_weights(6, dtype=policy)[0]
        ops = ops_in_graph(layer, (None, 5, 5, 6), dtype, training=training)
        assert "FusedBatchNormV3" in ops, dtype
    layer = BatchNormalization(dtype="float64")
    layer.build((None, 5, 5, 6))
    assert "FusedBatchNormV3" not in ops_in_graph(
        layer, (None, 5, 5, 6), "float64", training=training
    )


@pytest.mark.parametrize(
    "shape, kwargs",
    [
        ((16, 6), {}),
        ((4, 6, 5, 5), {"axis": 1}),
        ((4, 5, 5, 6), {"dtype": "float64"}),
        ((4, 5, 5, 6), {"synchronized": True}),
        ((4, 5, 5, 6), {"scale": False, "center": False}),
        ((1, 1, 1, 6), {}),
    ],
)
def test_every_path_normalizes_as_keras_and_keeps_the_unbiased_variance(
    shape, kwargs
):
    x = np.random.default_rng(0).normal(2.0, 3.0, shape)
    ours = BatchNormalization(**kwargs)
    keras_own = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=EPSILON, **kwargs
    )
    np.testing.assert_allclose(
        np.array(ours(x, training=True)),
        np.array(keras_own(x, training=True)),
        atol=1e-5,
    )
    axis = kwargs.get("axis", -1) % x.ndim
    axes = tuple(i for i in range(x.ndim) if i != axis)
    n = x.size // x.shape[axis]
    unbiased = x.var(axes) * n / max(n - 1, 1)
    np.testing.assert_allclose(
        ours.moving_variance.numpy(), 0.9 + 0.1 * unbiased, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.array(ours(x, training=False)),
        np.array(keras.layers.BatchNormalization.call(ours, x, training=False)),
        atol=1e-5,
    )


def test_masked_values_do_not_count():
    x = np.random.default_rng(0).normal(2.0, 3.0, (4, 6, 3)).astype("float32")
    mask = np.arange(6) < np.array([6, 3, 2, 5])[:, None]
    layer = BatchNormalization()
    layer(x, training=True, mask=mask)
    np.testing.assert_allclose(
        layer.moving_variance.numpy(),
        0.9 + 0.1 * x[mask].var(0, ddof=1),
        rtol=1e-5,
    )


def test_frozen_layer_uses_and_keeps_its_statistics():
    layer, *_, mean, variance = layer_with_weights(6)
    layer.trainable = False
    x = batch("float32")
    np.testing.assert_array_equal(
        np.array(layer(x, training=True)), np.array(layer(x, training=False))
    )
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-6)


def test_same_weights_and_config_as_keras():
    layer = BatchNormalization(momentum=0.8)
    layer.build((None, 4, 4, 3))
    keras_own = keras.layers.BatchNormalization()
    keras_own.build((None, 4, 4, 3))
    assert [w.name for w in layer.weights] == [
        w.name for w in keras_own.weights
    ]
    again = BatchNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.momentum == 0.8


def test_renorm_is_refused():
    with pytest.raises(ValueError, match="renorm=True.*keras.layers"):
        BatchNormalization(renorm=True)
