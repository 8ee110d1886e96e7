"""A SavedModel that takes pictures, names classes, and needs no Keras."""

import numbers
import os
import pathlib
from typing import TYPE_CHECKING

from keras_resnetv2._checks import check_choice
from keras_resnetv2._files import user_path
from keras_resnetv2._origin import (
    all_layers,
    get_standardization,
    includes_preprocessing,
    origin_of,
)
from keras_resnetv2._standardization import Standardization

if TYPE_CHECKING:
    import keras

# By the name that an export's has: its dtype policy.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
PIXEL_LIMIT = 50_000_000


def export_saved_model(
    model: "keras.Model",
    directory: str | os.PathLike,
    *,
    standardization: str | Standardization | None = None,
    class_names: tuple[str, ...] | None = None,
    resize: int | None = None,
    top_k: int = 5,
    precision: str = "float32",
    pixel_limit: int = PIXEL_LIMIT,
) -> pathlib.Path:
    """Writes the next version of a SavedModel, as TF Serving takes it.

    The graph standardises as the training did; labels are inside; every weight
    is stored once, whatever strategy the model was made under. Signatures, of
    N rows (any number but 0):

    =================  =====================  ============================
    name               input                  outputs
    =================  =====================  ============================
    `serving_default`  `images` float32       `probabilities`
    `serving_uint8`    `images` uint8         `probabilities`
    `image_bytes`      `image_bytes` strings  `probabilities`, `valid`
    `classify`         `image_bytes` strings  `classes`, `scores`, `valid`
    `features`         `image_bytes` strings  `features`, `valid`
    `features_uint8`   `images` uint8         `features`
    =================  =====================  ============================

    Images are (N, H, W, C) of the model's size, 0 to 255; `probabilities`
    (N, classes), `features` (N, channels), `classes` and `scores` (N, top_k),
    the best first. `image_bytes` (N,) are JPEG, PNG, GIF (the first
    frame), BMP or WebP files of any size, which are turned as their EXIF
    orientation says, resized and cropped as in
    evaluation. `valid`, bool (N,), tells which rows are pictures; of the others
    the classes are "" and the numbers 0. Features are what the classifier
    takes. A network whose input is no square of known size and three channels
    has the signatures that take images only.

    The version is checked before it gets its name: a fresh process, without
    Keras, loads it, replays the warm-up requests, and the answers must be those
    of the model in float32. Probabilities, and features relative to the
    largest, may be off by 1e-5 (float32) or 0.05 (bfloat16), or by ten times
    what rounding the pixels in that precision changes, where that is more: very
    deep networks blow it up (0.01 and 0.5 at most).
    assets.extra/self_check.json has the figures.

    Beside the versions are models.config, batching.config and serve.sh for TF
    Serving; files of these names that are there already are left alone.

    Args:
        model: a classifier from standardised images, or from pixels if it
            includes its preprocessing; logits or probabilities. On the JAX and
            PyTorch backends it is handed to a process that runs on TensorFlow,
            which must be installed, and the check compares with what it is
            there.
        directory: of all versions; the next free number is written whole or
            not at all. Its name is the model's in models.config.
        standardization: what the training did to the pixels, or its name in
            `STANDARDIZATIONS`. Default: the network's own, if it has published
            weights or was trained by this package.
        class_names: written to assets/labels.txt, a line each. Default: the
            network's own, or else the classes' numbers.
        resize: shorter side before the centre crop, in pixels. Default: the
            network's own, or else its size, as images in memory are evaluated;
            those that are decoded as needed are at size * 256 / 224.
        top_k: how many classes `classify` names, or all if there are fewer.
        precision: "float32", or "bfloat16": kernels are stored and convolved in
            it; batch normalization's numbers and the classifier stay float32.
        pixel_limit: a file of more pixels is no valid picture. It is read from
            the file's header, before anything is decoded. At least four
            times the square of `resize`.

    Returns:
        The directory of the new version, `directory/1` at first.

    Raises:
        ValueError: if the model is no classifier, an argument does not fit it,
            or the export does not answer as the model does.

    Example::

        export_saved_model(model, "serving/resnet20")
        served = tf.saved_model.load("serving/resnet20/1")
        classify = served.signatures["classify"]
        classify(image_bytes=tf.constant([open("cat.jpg", "rb").read()]))
    """
    import keras

    from keras_resnetv2.models.classifier import gives_logits

    _check_model(model)
    origin = origin_of(model)
    standardization = _standardization(model, origin, standardization)
    standardization.check_shape(model.input_shape[1:])
    gives_logits(model)
    classes = model.output_shape[-1]
    if class_names is None:
        class_names = origin.class_names or tuple(map(str, range(classes)))
    _check_class_names(class_names, classes)
    check_choice("precision", precision, PRECISIONS)
    size = model.input_shape[1]
    if resize is None:
        resize = origin.resize or size
    resize = _whole("resize", resize, size)
    around = {
        "standardization": standardization,
        "class_names": tuple(class_names),
        "resize": resize,
        "top_k": min(_whole("top_k", top_k, 1), classes),
        # The pictures of the check must be within it.
        "pixel_limit": _whole(
            "pixel_limit", pixel_limit, 4 * (resize or 1) ** 2
        ),
    }
    to = user_path(directory), PRECISIONS[precision]
    if keras.backend.backend() != "tensorflow":
        from keras_resnetv2.export import other_backend

        return other_backend.export(model, *to, **around)
    from keras_resnetv2.export import versions
    from keras_resnetv2.export.signatures import Serving

    return versions.export(model, *to, Serving(**around))


def _check_model(model):
    import keras

    functional = isinstance(model, keras.Model) and not isinstance(
        model, keras.Sequential
    )
    ends = [len(getattr(model, end, ())) for end in ("inputs", "outputs")]
    if not functional or ends != [1, 1]:
        raise ValueError(
            "model must be a functional keras.Model of one input and one "
            "output, as the builders of this package return it; received a "
            f"{type(model).__name__}"
            + (f" of {ends[0]} and {ends[1]}." if any(ends) else ".")
        )
    for layer in all_layers(model):
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None:
            raise ValueError(
                f"The network {model.name!r} is quantized ({layer.name!r} to "
                f"{mode}), and this export stores its weights as float32 or "
                "bfloat16. Export the network as it was before quantize(), or "
                "this one by Keras's own model.export()."
            )


def _standardization(model, origin, asked):
    if asked is None:
        return get_standardization(model)
    asked = get_standardization(asked)
    if not includes_preprocessing(model):
        return asked
    if asked != origin.standardization:
        raise ValueError(
            f"The network {model.name!r} includes its preprocessing, which is "
            "another one than standardization says: its images would be "
            "standardised twice. Leave standardization out."
        )
    return get_standardization(model)


def _check_class_names(class_names, classes):
    if isinstance(class_names, str):
        raise ValueError(
            "class_names must be a sequence of one name a class; received the "
            f"string {class_names!r}."
        )
    if len(class_names) != classes:
        raise ValueError(
            f"The model has {classes} classes; received {len(class_names)} "
            "class_names. Give one name a class, in the order of the labels."
        )
    for name in class_names:
        # NumPy's strings end at a NUL.
        if not isinstance(name, str) or name.splitlines() != [name.strip("\0")]:
            raise ValueError(
                "class_names are written a line each, so each must be one "
                f"line of text; received {name!r}."
            )


def _whole(name, value, least):
    """The number as an `int`; None, a network's size unknown, stays None."""
    if value is None and least is None:
        return None
    if not isinstance(value, numbers.Integral) or value < (least or 1):
        raise ValueError(
            f"{name} must be a whole number of at least {least or 1}; "
            f"received {value!r}."
        )
    return int(value)
