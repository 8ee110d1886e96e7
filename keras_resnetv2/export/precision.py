"""Converts a network to another precision."""

import itertools

import keras

from keras_resnetv2._origin import all_layers

# Computes in float32 in every precision.
_EXACT = keras.layers.Normalization
_HEAD = (
    keras.layers.Activation,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
)


def with_precision(model: keras.Model, policy: str) -> keras.Model:
    """Clones a functional model for another precision, weights included.

    The layers from the pooling on stay float32: bfloat16 has three digits,
    which is too few for logits. Preprocessing also stays float32.

    Args:
        model: a model of layers in any precision; it may contain models.
        policy: a dtype policy, such as "mixed_bfloat16".

    Returns:
        A model with the same weights in that precision; `model` itself if it
        already has it.

    Raises:
        ValueError: if a layer does not accept the precision; names it.
    """
    head = _head(model)

    def policy_of(layer):
        is_exact = layer in head or isinstance(layer, _EXACT)
        return "float32" if is_exact else policy

    if all(
        layer.dtype_policy.name == policy_of(layer)
        for layer in all_layers(model)
        if not isinstance(layer, keras.layers.InputLayer)
    ):
        return model

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):  # a keras.ops operation
            return type(layer).from_config(layer.get_config())
        config = {**layer.get_config(), "dtype": policy_of(layer)}
        try:
            cloned = type(layer).from_config(config)
        except TypeError as error:
            raise _refusal(layer, policy) from error
        wanted = keras.DTypePolicy(policy_of(layer)).compute_dtype
        if any(own.compute_dtype != wanted for own in cloned._flatten_layers()):
            raise _refusal(layer, policy)
        return cloned

    cloned = keras.models.clone_model(
        model, clone_function=clone, recursive=True
    )
    cloned.set_weights(model.get_weights())
    return cloned


def _refusal(layer, policy):
    compute = keras.DTypePolicy(policy).compute_dtype
    return ValueError(
        f"The layer {layer.name!r} of class {type(layer).__name__} cannot be "
        f"converted to {compute}: its class ignores the dtype in its config. "
        "Make it pass the dtype on to its inner layers, or export in "
        f"{layer.compute_dtype}."
    )


def _head(model):
    """Returns the layers after the last one that works on a feature map."""
    return set(
        itertools.takewhile(
            lambda layer: isinstance(layer, _HEAD),
            reversed(list(all_layers(model))),
        )
    )


def stored_dtypes(model: keras.Model) -> list[str]:
    """Returns the dtype in which each weight is used, and should be stored.

    Args:
        model: a model from `with_precision`.

    Returns:
        The dtype names, in the order of `model.weights`.
    """
    used = {
        id(weight): layer.compute_dtype
        for layer in all_layers(model)
        # Its statistics and parameters are always float32.
        if not isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.weights
    }
    return [used.get(id(w), w.dtype) for w in model.weights]
