"""What can be measured, and what the errors say of the rest."""

import keras
import numpy as np


def find_classifier(model: keras.Model) -> keras.layers.Dense:
    """Finds the layer that gives the logits, with or without its softmax.

    Raises:
        ValueError: if the model does not end in a classifier, or it is one of
            less than two classes, or is quantized.
    """
    layers = list(getattr(model, "layers", ()))
    if layers and _is_softmax(layers[-1]):
        layers.pop()
        plain = (keras.activations.linear,)
    else:
        plain = (keras.activations.linear, keras.activations.softmax)
    last = layers[-1] if layers else None
    if (
        not isinstance(last, keras.layers.Dense)
        or last.activation not in plain
        or last.units < 2
        or last.quantization_mode is not None
        or len(model.outputs) != 1
    ):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} must end in one classifier: a "
            "Dense layer of two classes or more, not quantized, that gives "
            "logits or is followed by softmax; received "
            f"{[layer.name for layer in layers[-2:]]} at its end. The builders "
            "make one with include_top=True."
        )
    return last


def _is_softmax(layer):
    return isinstance(layer, keras.layers.Softmax) or (
        isinstance(layer, keras.layers.Activation)
        and layer.activation is keras.activations.softmax
    )


def check_batch(
    model: keras.Model, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels as arrays that fit a model.

    Raises:
        ValueError: says what came and what is expected.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    shape = model.input_shape[1:]
    if (
        images.ndim != 4
        or not len(images)
        or any(
            want not in (None, got)
            for want, got in zip(shape, images.shape[1:])
        )
    ):
        raise ValueError(
            f"images must be of shape (N, {', '.join(map(str, shape))}), as "
            f"{model.name} takes them; received {images.shape}."
        )
    takes = model.inputs[0].dtype
    if takes.startswith("float") and images.dtype.kind != "f":
        raise ValueError(
            "images must be standardised floats; received "
            f"{images.dtype}. Use keras_resnetv2.preprocess_input, or the "
            "training's Standardization."
        )
    classes = model.output_shape[-1]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be {len(images)} integers, one an image; received "
            f"{labels.dtype} of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must lie in 0..{classes - 1}, as {model.name} has "
            f"{classes} classes; received {labels.min()}..{labels.max()}."
        )
    return images.astype(takes), labels
