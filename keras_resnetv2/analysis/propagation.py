"""`measure`: evaluates the equations at every unit of a network."""

import contextlib
import os

import keras
import numpy as np

from keras_resnetv2._checks import is_count
from keras_resnetv2.analysis.equations import (
    backward,
    feature_gradient,
    forward_gaps,
    rms_norm,
    sample_norms,
)
from keras_resnetv2.analysis.rows import Propagation, UnitRow
from keras_resnetv2.analysis.steps import route_of
from keras_resnetv2.models.classifier import find_end
from keras_resnetv2.training.errors import plain_errors
from keras_resnetv2.training.images import found, images_to_test
from keras_resnetv2.training.trained import load_subject

# Claim (ii) of section 2: below this ratio a gradient counts as cancelled.
CANCELLED = 0.1

_ACTIVATIONS = (keras.activations.linear, keras.activations.softmax)


def measure(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    training: bool = True,
) -> Propagation:
    """Measures the paper's equations on a network and a batch.

    It runs the network unit by unit, forward and backward, on any Keras
    backend. Weights, statistics and random states do not change. Every F is
    also computed in NumPy from the weights, which takes most of the time for
    large images. The memory is that of one and a half training steps.

    Reference: He et al., 2016, section 2, eq. (3) to (5), section 3, eq. (6)
    to (8).

    Args:
        model: a network of this package with a classifier, new, trained or
            loaded, that computes in float32 or float64.
        images: standardized, (N, H, W, C).
        labels: (N,), 0 to classes - 1.
        training: whether BN uses the batch's statistics and dropout drops, as
            in a training step. With False, BN uses the moving statistics, which
            are meaningless in an untrained network.

    Returns:
        A `Propagation`.

    Raises:
        ValueError: if the model is not of this package, has no classifier, or
            computes in half precision (such small gradients become zero), or if
            images or labels do not match it.

    Example:
        >>> import keras_resnetv2
        >>> from keras_resnetv2 import analysis, data
        >>> sample = data.load_arrays("cifar10_sample").take(8)
        >>> images = data.preprocess_input(sample.images, "cifar10")
        >>> model = keras_resnetv2.PreActResNet20()
        >>> measured = analysis.measure(model, images, sample.labels)
        >>> all(row.factor == 1 for row in measured.rows)
        True
    """
    route = route_of(model, find_classifier(model))
    images, labels = check_batch(model, images, labels)
    with _left_as_it_was(model):
        steps, features, back = route.run(images, training)
        gradient = back(feature_gradient(route.classifier, features, labels))
        rows = _rows(route.units, steps, gradient, training)
    return Propagation(
        model=model.name,
        samples=len(images),
        training=training,
        rows=rows,
        last_signal=rms_norm(steps[-1].output),
        last_gradient=rms_norm(gradient),
    )


def _rows(units, steps, last_gradient, training):
    gaps = forward_gaps(units, steps, training)
    arrivals = backward(units, steps, last_gradient)
    products = np.cumprod([arrival.factor for arrival in arrivals[::-1]])[::-1]
    last_norms = sample_norms(last_gradient)
    return tuple(
        UnitRow(
            unit=unit.name,
            shortcut=unit.kind,
            dimension_change=unit.dimension_change,
            signal=rms_norm(step.x),
            residual=rms_norm(step.residual),
            **gap._asdict(),
            factor=arrival.factor,
            product=float(product),
            gradient=rms_norm(arrival.gradient),
            direct=rms_norm(arrival.direct),
            rest=rms_norm(arrival.gradient - arrival.direct),
            cancelled=_cancelled(sample_norms(arrival.gradient), last_norms),
        )
        for unit, step, gap, arrival, product in zip(
            units, steps, gaps, arrivals, products, strict=True
        )
    )


def _cancelled(norms, last_norms):
    """Returns the share among the samples that have a gradient."""
    there = (last_norms > 0) & np.isfinite(norms)
    if not there.any():
        return float("nan")
    return float(np.mean(norms[there] < CANCELLED * last_norms[there]))


@contextlib.contextmanager
def _left_as_it_was(model):
    """Restores BN's statistics and the random states at the end."""
    before = [
        keras.ops.convert_to_numpy(variable)
        for variable in model.non_trainable_variables
    ]
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "torch":
            import torch

            # On this backend, dropout uses the global generator.
            stack.enter_context(torch.random.fork_rng())
        try:
            yield
        finally:
            for variable, value in zip(model.non_trainable_variables, before):
                variable.assign(value)


def measure_trained(
    network: str | os.PathLike | keras.Model,
    *,
    images: int | None = None,
    dataset: str | None = None,
    split: str = "test",
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    training: bool = True,
) -> Propagation:
    """Measures the last checkpoint of a training, in float32, or a network.

    Args:
        network: see `training.evaluate`.
        images: how many images, evenly spread over the split (the first ones,
            if TFDS streams them). Defaults to 64, or 8 above 64 pixels.
        dataset: see `training.evaluate`.
        split: "test", "train" or "held_out".
        data_dir: where TensorFlow Datasets keeps its data; None for the
            training's setting.
        image_size: see `training.evaluate`.
        training: see `measure`.

    Returns:
        A `Propagation`.

    Raises:
        ValueError: if the directory is not a training's, or the network or the
            images do not fit, or the split has fewer images.
    """
    subject = load_subject(
        network,
        dataset=dataset,
        split=split,
        data_dir=data_dir,
        image_size=image_size,
        dtype="float32",
    )
    model, data, labels = subject.model, subject.data, subject.labels
    side = model.input_shape[1]
    if images is None:
        images = min(len(data), 64 if side <= 64 else 8)
    if not (is_count(images) and images <= len(data)):
        raise ValueError(
            f"images must be in 1..{len(data)}, the number of {split} images; "
            f"received {images}."
        )
    if hasattr(data, "select"):  # images of a folder are sorted by class
        chosen = np.zeros(len(data), bool)
        chosen[np.linspace(0, len(data) - 1, images).round().astype(int)] = True
        data, labels = data.select(chosen), labels[chosen]
    print(found({f"of {split}": data}, subject.name, model))
    batches = images_to_test(
        data,
        subject.standardization,
        batch_size=int(images),
        image_size=side,
        resize=subject.resize,
    )
    with plain_errors():
        (batch,) = next(iter(batches))
    return measure(
        model,
        np.asarray(batch),
        labels[:images],
        training=training,
    )


def find_classifier(model: keras.Model) -> keras.layers.Dense:
    """Finds the layer that gives the logits, with or without its softmax.

    Raises:
        ValueError: see `find_end`; also if the model does not end in a
            classifier of at least two classes, or it is quantized.
    """
    end = find_end(model)
    dense = end.layer
    if (
        not isinstance(dense, keras.layers.Dense)
        or dense.activation not in _ACTIVATIONS
        or dense.units < 2
        or dense.quantization_mode is not None
    ):
        raise ValueError(
            f"{model.name!r} must end in one classifier: a Dense layer with at "
            "least two classes, not quantized, that gives logits or is "
            f"followed by softmax; received {dense.name!r} at its end. The "
            "builders make one with include_top=True."
        )
    return dense


def check_batch(
    model: keras.Model, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels as arrays that match a model.

    Raises:
        ValueError: if they do not; says what was received and expected.
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
            f"images must have the shape (N, {', '.join(map(str, shape))}) for "
            f"{model.name}; received {images.shape}."
        )
    takes = model.inputs[0].dtype
    if takes.startswith("float") and images.dtype.kind != "f":
        raise ValueError(
            "images must be standardized floats; received "
            f"{images.dtype}. Use keras_resnetv2.preprocess_input, or the "
            "training's Standardization."
        )
    classes = model.output_shape[-1]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be {len(images)} integers, one per image; received "
            f"{labels.dtype} of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must be in 0..{classes - 1}, because {model.name} has "
            f"{classes} classes; received {labels.min()}..{labels.max()}."
        )
    return images.astype(takes), labels
