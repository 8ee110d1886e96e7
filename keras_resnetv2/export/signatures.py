"""What a server is asked for: the signatures, as a table."""

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
    """What the graph does around the network.

    Attributes:
        standardization: of the pixels, the training's.
        class_names: one a class.
        resize: shorter side of a picture before the centre crop, in pixels.
        top_k: how many classes `classify` names.
        pixel_limit: the most pixels of a picture that are decoded.
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
        dtype: the argument's.
        outputs: the names of what it answers.
    """

    input: str
    dtype: tf.DType
    outputs: tuple[str, ...]


# Their outputs: the network's two, the best classes, which rows are pictures.
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
    """Whether pictures can be made to fit: a square of three channels."""
    _, height, width, channels = model.input_shape
    return height is not None and height == width and channels == 3


def make(model: keras.Model, serving: Serving) -> tuple[tf.Module, dict]:
    """Traces the signatures around one copy of the network and its weights.

    Args:
        model: a classifier from standardised images.
        serving: what is done around it.

    Returns:
        The module to save and its signatures by name; those that take files
        only where `takes_files`.
    """
    module = tf.Module()
    # The model itself stays out of the module: Keras would store it again.
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
    """The same network with a second output: what its classifier takes.

    Args:
        model: a classifier.

    Returns:
        From standardised images to (features, logits); to (features,
        probabilities) where the softmax is the classifier's own activation.
    """
    end = find_end(model)
    if end.within:
        network, inputs = end.within
        return ResNet(model.inputs[0], with_features(network)(*inputs))
    is_dense = isinstance(end.layer, keras.layers.Dense)
    features = end.takes if is_dense else end.gives
    return ResNet(model.inputs[0], [features, end.gives])


def _logits(model):
    """Whether `with_features` gives logits."""
    return find_end(model).softmax != "own"


def named(
    features: tf.Tensor, answer: tf.Tensor, logits: bool
) -> dict[str, tf.Tensor]:
    """The two outputs by name, in float32.

    Args:
        features: (N, channels).
        answer: (N, classes): logits or probabilities.
        logits: which of them.
    """
    answer = tf.cast(answer, tf.float32)
    return {
        FEATURES: tf.cast(features, tf.float32),
        PROBABILITIES: tf.nn.softmax(answer) if logits else answer,
    }


def answer_of(
    model: keras.Model, standardization: Standardization
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What the model itself answers, layer by layer.

    Args:
        model: a classifier.
        standardization: of the pixels.

    Returns:
        From pixels, float32 (N, H, W, C), 0 to 255, to `named`.
    """
    both = with_features(model)
    logits = _logits(model)

    def answer(pixels):
        # GPUs multiply in TensorFloat-32, which has three digits.
        with tf.device("/CPU:0"):
            found = named(
                *both(standardization(pixels), training=False), logits
            )
        return {key: np.array(value) for key, value in found.items()}

    return answer


def _network(model, weights, serving):
    """From pixels to features and probabilities, traced once for all."""
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
                # Given to the scope's constructor it would become float32.
                scope.add_update((weight, stored))
            features, answer = both((pixels - mean) / std, training=False)
        return named(features, answer, _logits(model))

    return network


def _files(network, model, serving):
    """From files to the same, and to whether each is a picture."""

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
    """Assertions in the graph; a server's session checks types alone."""
    # Unstacking fails for a tensor of another rank.
    rows, *sizes = tf.unstack(tf.shape(given), given.shape.rank)
    empty = [f"{name} is an empty batch; send a row or more."]
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
