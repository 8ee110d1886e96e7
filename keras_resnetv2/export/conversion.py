"""Converts a network to a file of another runtime, and checks the file."""

import contextlib
import json
import pathlib
import tempfile
import warnings
import zipfile
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_resnetv2._files import write_atomically
from keras_resnetv2._origin import all_layers
from keras_resnetv2.data import Standardization
from keras_resnetv2.export import (
    class_labels,
    file_replay,
    self_check,
    signatures,
    warm_up,
)
from keras_resnetv2.export.file_replay import CLASS_NAMES
from keras_resnetv2.export.precision import with_precision
from keras_resnetv2.models.classifier import gives_logits

# The one signature of a file.
_SERVED = signatures.SIGNATURES["serving_default"]
_IMAGES = _SERVED.input
(_PROBABILITIES,) = _SERVED.outputs


def export(
    model: keras.Model,
    path: pathlib.Path,
    format: str,
    standardization: Standardization,
    class_names: Sequence[str],
) -> dict[str, float]:
    """Writes a checked file.

    Args:
        model: a classifier.
        path: the file to write, with the format's ending.
        format: a key of `FORMATS` in `single_file`.
        standardization: standardization of the pixels.
        class_names: one name per class.

    Returns:
        The "largest_difference" from the model, and the "allowed" one.

    Raises:
        ValueError: if the network cannot be converted, or the file's answers
            differ from the model's.
    """
    model = with_precision(model, "float32")
    pixels = warm_up.noise(model)
    answer = signatures.answer_of(model, standardization)
    expected = answer(pixels)
    allowed = self_check.allowed_difference(answer, pixels, expected, "float32")
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, f"network{path.suffix}")
        _convert(around(model, standardization), part, format)
        _NAME_CLASSES[format](part, class_names)
        report = check(
            part, pixels, expected[_PROBABILITIES], class_names, allowed
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, part.read_bytes())
    return report


def around(model: keras.Model, standardization: Standardization) -> keras.Model:
    """Returns the model from pixels to probabilities by name.

    Args:
        model: a classifier in float32.
        standardization: standardization of the pixels.
    """
    images = keras.Input(model.input_shape[1:], name=_IMAGES)
    pixels = (images - standardization.mean) / standardization.std
    # Keras's augmentation layers otherwise work as in training.
    answer = model(pixels, training=False)
    probabilities = keras.layers.Activation(
        "softmax" if gives_logits(model) else "linear",
        name=_PROBABILITIES,
        dtype="float32",
    )(answer)
    return keras.Model(images, {_PROBABILITIES: probabilities})


# Without the option, LiteRT may need TensorFlow's operations beside its own.
_OPTIONS = {
    "onnx": {},
    "litert": {
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    },
}


def _convert(model, path, format):
    spec = keras.InputSpec("float32", model.inputs[0].shape, name=_IMAGES)
    with warnings.catch_warnings():
        # Keras 3.15 looks for np.object.
        warnings.filterwarnings("ignore", "In the future `np.object`")
        try:
            with _constant_normalizations(model):
                model.export(
                    path,
                    format=format,
                    verbose=False,
                    input_signature=[spec],
                    **_OPTIONS[format],
                )
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(
                f"Keras cannot convert the network to {format}: "
                f"{type(error).__name__}: {reason} Nothing was exported. Use "
                "layers of Keras, or export a SavedModel."
            ) from error


@contextlib.contextmanager
def _constant_normalizations(model):
    """Lets layers hold arrays: of tensors, tf2onnx makes inputs of the file."""
    layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Normalization)
    ]
    before = [(layer.mean, layer.variance) for layer in layers]
    try:
        for layer in layers:
            layer.mean = np.array(layer.mean)
            layer.variance = np.array(layer.variance)
        yield
    finally:
        for layer, (mean, variance) in zip(layers, before):
            layer.mean, layer.variance = mean, variance


def _name_in_onnx(path, class_names):
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {CLASS_NAMES: json.dumps(class_names)})
    for end in (*model.graph.input, *model.graph.output):
        # The converter numbers free sizes.
        end.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, path)


def _name_in_litert(path, class_names):
    # Runtimes ignore what follows the network.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(class_labels.FILE, class_labels.text_of(class_names))


_NAME_CLASSES = {"onnx": _name_in_onnx, "litert": _name_in_litert}


def check(
    path: pathlib.Path,
    pixels: np.ndarray,
    expected: np.ndarray,
    class_names: Sequence[str],
    allowed: float,
) -> dict[str, float]:
    """Compares a file's answers in a new process with the model's.

    Args:
        path: the file.
        pixels: float32 (N, H, W, C), 0 to 255.
        expected: float32 (N, classes): the model's probabilities.
        class_names: one name per class.
        allowed: the largest difference allowed.

    Returns:
        The "largest_difference", and the "allowed" one.

    Raises:
        ValueError: if an answer differs or is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs = pathlib.Path(folder, "inputs.npz")
        np.savez(inputs, **{_IMAGES: pixels})
        found = self_check.replayed(file_replay.__name__, path, inputs)
    named = found.pop(CLASS_NAMES).tolist()
    self_check.check_class_names("The file", named, class_names)
    wanted = {"all": expected, "first": expected[:1]}
    wanted = {f"{rows}/{_PROBABILITIES}": wanted[rows] for rows in wanted}
    shapes = {name: value.shape for name, value in found.items()}
    if shapes != {name: value.shape for name, value in wanted.items()}:
        raise ValueError(
            f"The file returns arrays of shapes {shapes}. Nothing was exported."
        )
    off = np.max([np.abs(found[name] - wanted[name]).max() for name in wanted])
    self_check.check_difference("The file", off, allowed)
    return self_check.report_of(off, allowed)
