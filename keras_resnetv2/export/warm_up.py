"""Makes an export's requests: for warming up a server and for the check."""

import io
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp
from PIL import Image

from keras_resnetv2.data import crops
from keras_resnetv2.data.crop_pixels import decode_and_cut_tf
from keras_resnetv2.export.signatures import SIGNATURES, Serving, takes_files

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_NO_PICTURE = b"This is no picture."
_UNKNOWN_SIZE = 64  # for networks that take images of any size


class Request(NamedTuple):
    """One request.

    Attributes:
        signature: the signature's name.
        inputs: inputs by name; the rows that are pictures come first.
        valid: bool (N,): which rows are pictures.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    valid: np.ndarray


class WarmUp(NamedTuple):
    """All requests, and the pixels that the network should get.

    Attributes:
        pixels: float32 (N, H, W, C), 0 to 255. A request has the first ones.
        requests: one request per signature.
    """

    pixels: np.ndarray
    requests: list[Request]


def make(model: keras.Model, serving: Serving) -> WarmUp:
    """Makes one request per signature, with all formats and an invalid row.

    The pictures need no scaling and are decoded here by Pillow, so that the
    network's input is known without TensorFlow. One more picture is wider than
    high and is scaled as in evaluation.

    Args:
        model: a classifier of standardized images.
        serving: the settings of the graph around it.
    """
    if takes_files(model):
        files, pixels = _pictures(model.input_shape[1], serving.resize)
    else:
        files, pixels = None, noise(model)
    requests = []
    for name, signature in SIGNATURES.items():
        if signature.input == "images":
            # The scaled picture is not rounded to 8 bits.
            whole = pixels[: len(_FORMATS)]
            inputs = whole.astype(signature.dtype.as_numpy_dtype)
        elif files:
            inputs = np.array([*files, _NO_PICTURE], object)
        else:
            continue
        valid = np.arange(len(inputs)) < len(pixels)
        requests.append(Request(name, {signature.input: inputs}, valid))
    return WarmUp(pixels, requests)


def noise(model: keras.Model) -> np.ndarray:
    """Returns random pixels: float32 (N, H, W, C), 0 to 255.

    Args:
        model: a classifier of standardized images.
    """
    sides = (side or _UNKNOWN_SIZE for side in model.input_shape[1:])
    shape = (len(_FORMATS), *sides)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def _pictures(size, resize):
    """Returns files, and their expected pixels: float32 (N, size, size, 3)."""
    rng = np.random.default_rng(0)
    edge = (resize - size) // 2
    inside = slice(edge, edge + size)
    files = [_picture(rng, kind, resize, resize) for kind in _FORMATS]
    pixels = [_decode(file)[inside, inside] for file in files]
    wide = _picture(rng, "JPEG", resize * 3 // 2, resize * 5 // 4)
    return [*files, wide], np.stack(
        [*pixels, _scaled(wide, size, resize)]
    ).astype(np.float32)


def _scaled(file, size, resize):
    # The crop is chosen here, not by the graph's code: the self-check compares.
    rule = crops.center(resize)
    return decode_and_cut_tf(
        tf.constant(file),
        lambda height, width: rule.choose(tnp, None, height, width, size),
        size,
    )


def _picture(rng, kind, width, height):
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((width, height)).save(file, kind)
    return file.getvalue()


def _decode(file):
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
