"""Exports a network as one file, for ONNX Runtime or LiteRT."""

import os
import pathlib
from typing import TYPE_CHECKING, NamedTuple

from keras_resnetv2._files import user_path
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._standardization import Standardization
from keras_resnetv2.export.arguments import check_network

if TYPE_CHECKING:
    import keras


class Format(NamedTuple):
    """A row of `FORMATS`.

    Attributes:
        title: what a file is called; also its row of the requirements.
        suffix: the end of a file's name.
        function: name of the function that exports it.
    """

    title: str
    suffix: str
    function: str


# By the name that Keras has for them.
FORMATS = {
    "onnx": Format("An ONNX file", ".onnx", "export_onnx"),
    "litert": Format("A LiteRT file", ".tflite", "export_litert"),
}


def export_onnx(
    model: "keras.Model",
    path: str | os.PathLike,
    *,
    standardization: str | Standardization | None = None,
    class_names: tuple[str, ...] | None = None,
) -> pathlib.Path:
    """Writes an ONNX file, by Keras's exporter.

    The input `images`, float32 (N, H, W, C), has pixels 0 to 255 of the model's
    size. N is free. The output `probabilities` is float32 (N, classes). The
    file standardizes images as the training did. Its metadata contains
    `class_names`, a JSON list.

    The file is checked before it gets its name. ONNX Runtime reads it in a new
    process without Keras and TensorFlow. Its probabilities must be the model's
    own in float32, within the limits of `export_saved_model`.

    Args:
        model: a classifier, as for `export_saved_model`. Another precision
            becomes float32.
        path: the file to write; it ends in .onnx. An existing file is replaced
            once the new one has passed the check.
        standardization: the training's standardization, or its name in
            `STANDARDIZATIONS`. Default: the network's own, as in
            `export_saved_model`.
        class_names: one name per class. Default: the network's own, or else
            the classes' numbers.

    Returns:
        The path of the file.

    Raises:
        ImportError: if a package is missing; says what to install.
        ValueError: if the model is not a classifier, an argument does not match
            it, it cannot be converted, or the file's answers differ from the
            model's.

    Example::

        export_onnx(model, "resnet20.onnx")
        served = onnxruntime.InferenceSession("resnet20.onnx")
        [probabilities] = served.run(["probabilities"], {"images": images})
        names = served.get_modelmeta().custom_metadata_map["class_names"]
    """
    export("onnx", model, path, standardization, class_names)
    return user_path(path)


def export_litert(
    model: "keras.Model",
    path: str | os.PathLike,
    *,
    standardization: str | Standardization | None = None,
    class_names: tuple[str, ...] | None = None,
) -> pathlib.Path:
    """Writes a LiteRT (TensorFlow Lite) file, by Keras's exporter.

    Its one signature is that of `export_onnx`. The class names are labels.txt,
    one per line, in a ZIP archive at the end of the file, where TensorFlow Lite
    keeps associated files. The file uses LiteRT's own operations only. It is
    checked like an ONNX file, by LiteRT's interpreter.

    Args:
        model: a classifier, as for `export_saved_model`. Another precision
            becomes float32.
        path: the file to write; it ends in .tflite. An existing file is
            replaced once the new one has passed the check.
        standardization: see `export_onnx`.
        class_names: see `export_onnx`.

    Returns:
        The path of the file.

    Raises:
        ImportError: if a package is missing; says what to install.
        ValueError: see `export_onnx`.

    Example::

        export_litert(model, "resnet20.tflite")
        served = ai_edge_litert.interpreter.Interpreter("resnet20.tflite")
        found = served.get_signature_runner()(images=images)["probabilities"]
        names = zipfile.ZipFile("resnet20.tflite").read("labels.txt").decode()
    """
    export("litert", model, path, standardization, class_names)
    return user_path(path)


def export(
    format: str,
    model: "keras.Model",
    path: str | os.PathLike,
    standardization: str | Standardization | None = None,
    class_names: tuple[str, ...] | None = None,
) -> dict[str, float] | None:
    """Writes a file of a format.

    Args:
        format: a key of `FORMATS`.
        model: see `export_onnx`.
        path: see `export_onnx`.
        standardization: see `export_onnx`.
        class_names: see `export_onnx`.

    Returns:
        The result of the check, as `self_check.read_report` returns it; None
        if it was made in another process.

    Raises:
        ImportError: see `export_onnx`.
        ValueError: see `export_onnx`.
    """
    import keras

    check_installed(FORMATS[format].title)
    path = check_path(format, path)
    model, network = check_network(model, standardization, class_names)
    if keras.backend.backend() != "tensorflow":
        from keras_resnetv2.export import other_backend

        function = FORMATS[format].function
        other_backend.export(model, path, function, **network)
        return None
    from keras_resnetv2.export import conversion

    return conversion.export(model, path, format, **network)


def check_path(format: str, path: str | os.PathLike) -> pathlib.Path:
    """Checks that a path is that of a file of a format.

    Args:
        format: a key of `FORMATS`.
        path: the path to check.

    Returns:
        The path, with `~` expanded.

    Raises:
        ValueError: if it has another ending, or is a directory.
    """
    path = user_path(path)
    title, suffix, _ = FORMATS[format]
    if path.suffix != suffix:
        raise ValueError(
            f"{title} has a name that ends in {suffix}; received {str(path)!r}."
        )
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a directory. Give a file.")
    return path
