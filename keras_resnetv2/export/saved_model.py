"""Exports a SavedModel that takes pictures, names classes, needs no Keras."""

import os
import pathlib
from typing import TYPE_CHECKING

from keras_resnetv2._checks import check_choice, is_count
from keras_resnetv2._files import user_path
from keras_resnetv2._origin import origin_of
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._standardization import Standardization
from keras_resnetv2.export.arguments import check_network

if TYPE_CHECKING:
    import keras

# The dtype policy by the precision of an export.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
# Of a picture in a request; smaller than when reading files, as anyone may ask.
REQUEST_PIXEL_LIMIT = 50_000_000


def export_saved_model(
    model: "keras.Model",
    directory: str | os.PathLike,
    *,
    standardization: str | Standardization | None = None,
    class_names: tuple[str, ...] | None = None,
    resize: int | None = None,
    top_k: int = 5,
    precision: str = "float32",
    pixel_limit: int = REQUEST_PIXEL_LIMIT,
) -> pathlib.Path:
    """Writes the next version of a SavedModel for TF Serving.

    The graph standardizes images as the training did. It contains the labels.
    Each weight is stored once, whatever distribution strategy was used. The
    signatures take N rows, at least one:

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

    `images` are (N, H, W, C) of the model's size, 0 to 255. `image_bytes` (N,)
    are JPEG, PNG, GIF (first frame), BMP or WebP files of any size. They are
    turned according to their EXIF orientation, then resized and cropped as in
    evaluation. Outputs: `probabilities` (N, classes), `features` (N, channels),
    and `classes` and `scores` (N, top_k), best first. `valid`, bool (N,), says
    which rows are pictures; in other rows the classes are "" and the numbers 0.
    Features are the input of the classifier. If the network's input is not a
    square of known size with three channels, only the signatures with `images`
    exist.

    The version is checked before it gets its name. A new process without Keras
    loads it and replays the warm-up requests. Its answers must match the model
    in float32. Probabilities, and features relative to the largest, may differ
    by 1e-5 (float32) or 0.05 (bfloat16). If rounding the pixels in that
    precision has a larger effect, as in very deep networks, ten times that
    effect is allowed (0.01 and 0.5 at most). assets.extra/self_check.json
    contains the figures.

    The directory also gets models.config, batching.config and serve.sh for TF
    Serving. Existing files with these names are kept.

    Args:
        model: a classifier of standardized images, or of pixels if it includes
            its preprocessing; it gives logits or probabilities. On the JAX and
            PyTorch backends, the export runs in a TensorFlow process.
            TensorFlow must be installed; the check compares with the model
            there.
        directory: directory of all versions. The next free number is written
            completely or not at all. Its name is the model's name in
            models.config.
        standardization: the training's standardization, or its name in
            `STANDARDIZATIONS`. Default: the network's own, if it has published
            weights or was trained with this package. If layers of your own
            standardize, give `Standardization([0, 0, 0], [1, 1, 1])`, which
            changes nothing.
        class_names: written to assets/labels.txt, one per line. Default: the
            network's own, or else the classes' numbers.
        resize: length of the shorter side before the centre crop, in pixels.
            Default: the network's own, or else its input size, as in the
            evaluation of images in memory. (Encoded images are evaluated at
            size * 256 / 224.)
        top_k: how many classes `classify` names, or all if there are fewer.
        precision: "float32" or "bfloat16". With bfloat16, kernels are stored
            and convolved in it; batch normalization and classifier stay
            float32.
        pixel_limit: a file with more pixels is not a valid picture. The number
            is read from the file's header before decoding. It must be at least
            four times the square of `resize`.

    Returns:
        The directory of the new version; the first one is `directory/1`.

    Raises:
        ValueError: if the model is not a classifier, an argument does not match
            it, or the export's answers differ from the model's.

    Example::

        export_saved_model(model, "serving/resnet20")
        served = tf.saved_model.load("serving/resnet20/1")
        classify = served.signatures["classify"]
        classify(image_bytes=tf.constant([open("cat.jpg", "rb").read()]))
    """
    import keras

    model, network = check_network(model, standardization, class_names)
    check_choice("precision", precision, PRECISIONS)
    size = model.input_shape[1]
    if resize is None:
        resize = origin_of(model).resize or size
    resize = _whole("resize", resize, size)
    settings = {
        **network,
        "resize": resize,
        "top_k": min(_whole("top_k", top_k, 1), model.output_shape[-1]),
        # The pictures of the check must be within the limit.
        "pixel_limit": _whole(
            "pixel_limit", pixel_limit, 4 * (resize or 1) ** 2
        ),
    }
    directory = user_path(directory)
    check_installed("A SavedModel")
    if keras.backend.backend() != "tensorflow":
        from keras_resnetv2.export import other_backend

        return other_backend.export(
            model,
            directory,
            "export_saved_model",
            precision=precision,
            **settings,
        )
    from keras_resnetv2.export import versions
    from keras_resnetv2.export.signatures import Serving

    policy = PRECISIONS[precision]
    return versions.export(model, directory, policy, Serving(**settings))


def _whole(name, value, least):
    """Returns the number as an `int`; None if the network's size is unknown."""
    if value is None and least is None:
        return None
    if not is_count(value) or value < (least or 1):
        raise ValueError(
            f"{name} must be a whole number of at least {least or 1}; "
            f"received {value!r}."
        )
    return int(value)
