"""A residual unit in NumPy, float64, computed from the weights.

It is an independent check: it shares layer names and weights with the network,
but no operations. Feature maps are (N, H, W, C).
"""

import keras
import numpy as np

from keras_resnetv2.analysis.built_units import Unit


def residual(unit: Unit, x: np.ndarray, training: bool) -> np.ndarray:
    """Returns F(x, W) including its scale or gate (Fig. 2, Fig. 4).

    Stochastic depth, which drops all of it or nothing, is not applied.

    Args:
        unit: the unit.
        x: its input.
        training: whether BN uses the batch's statistics or the moving ones.
    """
    y = x
    for layer in _branch(unit.layers):
        y = _OPERATIONS[_kind(layer)](layer, y, training)
    if "residual_scale" in unit.layers:
        y = y * unit.layers["residual_scale"].scale
    if "residual_gated" in unit.layers:
        y = y * gate(unit, x)
    return y


def shortcut(unit: Unit, signal: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Applies h to a signal, without change of shape and without dropout.

    Args:
        unit: the unit.
        signal: the signal on the shortcut.
        x: the unit's input, which determines the gate.
    """
    layers = unit.layers
    if "shortcut_scale" in layers:
        return signal * layers["shortcut_scale"].scale
    if "shortcut_gated" in layers:
        return signal * (1 - gate(unit, x))
    if "shortcut_conv" in layers:
        return _conv(layers["shortcut_conv"], signal)
    return signal


def gate(unit: Unit, x: np.ndarray) -> np.ndarray:
    """Returns g(x) = sigmoid(W_g x + b_g)."""
    return _sigmoid(_conv(unit.layers["gate"], x))


def _branch(layers):
    """Returns the layers between x and the addition, first to last."""
    names = ["preact_bn", "preact_relu"]
    for i in (1, 2, 3):
        names += [f"conv{i}", f"conv{i}_bn", f"conv{i}_relu"]
    return [layers[name] for name in names if name in layers]


def _kind(layer):
    return next(kind for kind in _OPERATIONS if isinstance(layer, kind))


def _conv(layer, x, training=False):
    """Convolves with zero padding of half the kernel's size on each side."""
    kernel = _array(layer.kernel)
    (size, _, _, filters), (stride, _) = kernel.shape, layer.strides
    pad = size // 2
    batch, *shape, _ = x.shape
    height, width = (-(-side // stride) for side in shape)
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((batch, height, width, filters))
    for i in range(size):
        for j in range(size):
            rows = slice(i, i + stride * height, stride)
            columns = slice(j, j + stride * width, stride)
            y += x[:, rows, columns] @ kernel[i, j]
    return y + _array(layer.bias) if layer.use_bias else y


def _batch_norm(layer, x, training):
    if training and layer.trainable:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    else:
        mean = _array(layer.moving_mean)
        variance = _array(layer.moving_variance)
    normalized = (x - mean) / np.sqrt(variance + layer.epsilon)
    return normalized * _array(layer.gamma) + _array(layer.beta)


def _relu(layer, x, training):
    return np.maximum(x, 0)


def _sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def _array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")


_OPERATIONS = {
    keras.layers.Conv2D: _conv,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.ReLU: _relu,
}
