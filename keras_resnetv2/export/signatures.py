"""The signatures of an export, as a table, and their graphs."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_resnetv2.data import Standardization
from keras_resnetv2.export.picture_rows import decode_rows
from keras_resnetv2.export.precision import stored_dtypes
from keras_resnetv2.models.classifier import find_end
from keras_resnetv2.models.network import ResNet


@dataclasses.dataclass(frozen=True)
class Serving:
    """The settings of the graph around the network.

    Attributes:
        standardization: the training's standardization of the pixels.
        class_names: one name per class.
        resize: length of a picture's shorter side before the centre crop.
        top_k: how many classes `classify` names.
        pixel_limit: the largest number of pixels of a picture to decode.
    """

    standardization: Standardization
    class_names: Sequence[str]
    resize: int | None
    top_k: int
    pixel_limit: int


class Signature(NamedTuple):
    """A row of `SIGNATURES`.

    Attributes:
        input: the argument's name.
        dtype: the argument's dtype.
        outputs: the names of the outputs.
    """

    input: str
    dtype: tf.DType
    outputs: tuple[str, ...]


# The outputs: the network's two, the best classes, and which rows are pictures.
PROBABILITIES, FEATURES = "probabilities", "features"
CLASSES, SCORES = "classes", "scores"
VALID = "valid"
SIGNATURES = {
    "serving_default": Signature("images", tf.float32, (PROBABILITIES,)),
    "serving_uint8": Signature("images", tf.uint8, (PROBABILITIES,)),
    "image_bytes": Signature("image_bytes", tf.string, (PROBABILITIES, VALID)),
    "classify": Signature("image_bytes", tf.string, (CLASSES, SCORES, VALID)),
    "features": Signature("image_bytes", tf.string, (FEATURES, VALID)),
    "features_uint8": Signature("images", tf.uint8, (FEATURES,)),
}


def takes_files(model: keras.Model) -> bool:
    """Returns whether the input is a square of known size with 3 channels."""
    _, height, width, channels = model.input_shape
    return height is not None and height == width and channels == 3


def make(model: keras.Model, serving: Serving) -> tuple[tf.Module, dict]:
    """Traces the signatures around one copy of the network and its weights.

    Args:
        model: a classifier of standardized images.
        serving: the settings of the graph around it.

    Returns:
        The module to save and its signatures by name. Those that take files
        exist only if `takes_files` is true.
    """
    module = tf.Module()
    # The module does not contain the model, which Keras would store again.
    module.weights = [
        tf.Variable(tf.cast(keras.ops.convert_to_numpy(weight), dtype))
        for weight, dtype in zip(model.weights, stored_dtypes(model))
    ]
    look_at = {"images": _network(model, module.weights, serving)}
    if takes_files(model):
        look_at["image_bytes"] = _files(look_at["images"], model, serving)
    signatures = {
        name: _trace(signature, look_at[signature.input], serving)
        for name, signature in SIGNATURES.items()
        if signature.input in look_at
    }
    return module, signatures


def with_features(model: keras.Model) -> keras.Model:
    """Returns the network with its classifier's input as a second output.

    Args:
        model: a classifier.

    Returns:
        A model from standardized images to (features, logits), or to (features,
        probabilities) if softmax is the classifier's own activation.
    """
    end = find_end(model)
    is_dense = isinstance(end.layer, keras.layers.Dense)
    outputs = [end.takes if is_dense else end.gives, end.gives]
    place = end.within
    while place:  # from the innermost network outwards
        outputs = ResNet(place.network.inputs[0], outputs)(*place.given)
        place = place.outer
    return ResNet(model.inputs[0], outputs)


def _logits(model):
    """Returns whether `with_features` gives logits."""
    return find_end(model).softmax != "own"


def named(
    features: tf.Tensor, answer: tf.Tensor, logits: bool
) -> dict[str, tf.Tensor]:
    """Returns the two outputs by name, in float32.

    Args:
        features: (N, channels).
        answer: (N, classes): logits or probabilities.
        logits: whether `answer` is logits.
    """
    answer = tf.cast(answer, tf.float32)
    return {
        FEATURES: tf.cast(features, tf.float32),
        PROBABILITIES: tf.nn.softmax(answer) if logits else answer,
    }


def answer_of(
    model: keras.Model, standardization: Standardization
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Returns a function that computes the model's answers, layer by layer.

    Args:
        model: a classifier.
        standardization: standardization of the pixels.

    Returns:
        A function from pixels, float32 (N, H, W, C), 0 to 255, to the result
        of `named`.
    """
    both = with_features(model)
    logits = _logits(model)

    def answer(pixels):
        # GPUs multiply in TensorFloat-32, which has only three digits.
        with tf.device("/CPU:0"):
            found = named(
                *both(standardization(pixels), training=False), logits
            )
        return {key: np.array(value) for key, value in found.items()}

    return answer


def _network(model, weights, serving):
    """Returns the function from pixels to `named`; traced only once."""
    both = with_features(model)
    mean, std = serving.standardization.mean, serving.standardization.std

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        ]
    )
    def network(pixels):
        with keras.StatelessScope() as scope:
            for weight, stored in zip(model.weights, weights):
                # The scope's constructor would convert it to float32.
                scope.add_update((weight, stored))
            features, answer = both((pixels - mean) / std, training=False)
        return named(features, answer, _logits(model))

    return network


def _files(network, model, serving):
    """Returns the function from files to `named` and to `VALID`."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def files(encoded):
        rows = decode_rows(
            encoded,
            size=model.input_shape[1],
            resize=serving.resize,
            pixel_limit=serving.pixel_limit,
        )
        found = network(rows.images)
        found = {name: rows.spread(value) for name, value in found.items()}
        return {**found, VALID: rows.valid}

    return files


def _refusals(name, given):
    """Returns graph assertions, because servers check only the types."""
    # Unstacking fails for a tensor of another rank.
    rows, *sizes = tf.unstack(tf.shape(given), given.shape.rank)
    empty = [f"{name} is an empty batch; send at least one row."]
    return [tf.debugging.Assert(rows > 0, empty)] + [
        tf.debugging.Assert(
            size == wanted,
            [f"{name} must be {given.shape}; received in axis {axis}:", size],
        )
        for axis, (size, wanted) in enumerate(zip(sizes, given.shape[1:]), 1)
        if wanted is not None
    ]


def _trace(signature, look_at, serving):
    (taken,) = look_at.input_signature
    spec = tf.TensorSpec(taken.shape, signature.dtype, name=signature.input)

    def serve(**inputs):
        given = inputs[signature.input]
        with tf.control_dependencies(_refusals(signature.input, given)):
            given = tf.identity(given)
        if given.dtype != taken.dtype:
            given = tf.cast(given, taken.dtype)
        found = look_at(given)
        if CLASSES in signature.outputs:
            found = {**found, **_top_classes(found, serving)}
        return {name: found[name] for name in signature.outputs}

    return tf.function(serve).get_concrete_function(**{signature.input: spec})


def _top_classes(found, serving):
    scores, best = tf.math.top_k(found[PROBABILITIES], serving.top_k)
    classes = tf.gather(tf.constant(serving.class_names), best)
    classes = tf.where(found[VALID][:, None], classes, "")
    return {CLASSES: classes, SCORES: scores}
