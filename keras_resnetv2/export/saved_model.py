"""A SavedModel that takes pixels, gives probabilities, and needs no Keras."""

import os
import pathlib
import shutil

import keras

from keras_resnetv2.data.standardization import (
    Standardization,
    get_standardization,
)
from keras_resnetv2.models.builder import gives_logits


def export_saved_model(
    model: keras.Model,
    directory: str | os.PathLike,
    *,
    standardization: str | Standardization,
    class_names: tuple[str, ...] | None = None,
) -> pathlib.Path:
    """Writes the next version of a SavedModel, as TF Serving takes it.

    Every weight is stored once. The graph takes pixels in 0..255, standardises
    them as the training did, and gives softmax probabilities in float32.

    Signatures, input `images` (batch, H, W, C) at the model's size, output
    `probabilities` (batch, classes):

    - `serving_default`: float32 pixels (JSON numbers of any kind fit).
    - `serving_uint8`: uint8 pixels, a quarter of the bytes.

    From Python, `served = tf.saved_model.load(path)` and then
    `served.serve(images)` takes either.

    Args:
        model: a classifier from standardised images; logits or probabilities.
        directory: of all versions; the next free number is written whole or
            not at all.
        standardization: what the training did to the pixels, or its name in
            `STANDARDIZATIONS`.
        class_names: written to assets/labels.txt, a line each.

    Returns:
        The directory of the new version, `directory/1` at first.

    Raises:
        ValueError: if the backend is not TensorFlow, the model is no
            classifier, or the number of names is not that of its classes.

    Example:
        ```python
        export_saved_model(model, "serving/resnet20", standardization=s)
        served = tf.saved_model.load("serving/resnet20/1")
        served.serve(uint8_images)["probabilities"]
        ```
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel holds TensorFlow's graph, and Keras runs on "
            f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow; weights "
            "trained on another backend load there."
        )
    standardization = get_standardization(standardization)
    standardization.check_shape(model.input_shape[1:])
    logits = gives_logits(model)
    _check_class_names(class_names, model.output_shape[-1])
    directory = pathlib.Path(directory)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{str(directory)!r} is a file. Give a directory.")
    directory.mkdir(parents=True, exist_ok=True)
    version = directory / str(_next_version(directory))
    part = directory / f".{version.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(model, logits, part, standardization, class_names)
        os.rename(part, version)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return version


def _check_class_names(class_names, classes):
    if class_names is None:
        return
    if len(class_names) != classes:
        raise ValueError(
            f"The model has {classes} classes; received {len(class_names)} "
            "class_names. Give one name a class, in the order of the labels."
        )
    for name in class_names:
        if not isinstance(name, str) or name.splitlines() != [name]:
            raise ValueError(
                "class_names are written a line each, so each must be one "
                f"line of text; received {name!r}."
            )


def _next_version(directory):
    numbers = [int(p.name) for p in directory.iterdir() if p.name.isdigit()]
    return max(numbers, default=0) + 1


def _write(model, logits, path, standardization, class_names):
    import tensorflow as tf

    mean, std = (
        tf.constant(value)
        for value in (standardization.mean, standardization.std)
    )

    @tf.function
    def serve(images):
        images = (tf.cast(images, tf.float32) - mean) / std
        outputs = tf.cast(model(images, training=False), tf.float32)
        return {"probabilities": tf.nn.softmax(outputs) if logits else outputs}

    # The model itself stays out of the module: Keras would store it again.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = serve
    if class_names is not None:
        path.mkdir(parents=True)
        labels = path / "labels.txt"
        labels.write_text("".join(f"{name}\n" for name in class_names))
        module.labels = tf.saved_model.Asset(str(labels))
    shape = (None, *model.input_shape[1:])
    signatures = {
        name: serve.get_concrete_function(
            tf.TensorSpec(shape, dtype, name="images")
        )
        for name, dtype in {
            "serving_default": tf.float32,
            "serving_uint8": tf.uint8,
        }.items()
    }
    tf.saved_model.save(module, str(path), signatures=signatures)
    if class_names is not None:
        labels.unlink()  # saving has copied it into assets/
