"""The same network computing in another precision."""

import keras

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
    too few for logits.

    Args:
        model: of layers of whatever precision.
        policy: a dtype policy, "mixed_bfloat16" say.

    Returns:
        A model of the same weights, in float32; `model` if it is that already.
    """
    head = _head(model)

    def policy_of(layer):
        return "float32" if layer in head else policy

    if all(
        layer.dtype_policy.name == policy_of(layer)
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ):
        return model

    def clone(layer):
        config = {**layer.get_config(), "dtype": policy_of(layer)}
        return type(layer).from_config(config)

    cloned = keras.models.clone_model(model, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned


def _head(model):
    """The layers behind the last one that works on a map."""
    head = set()
    for layer in reversed(model.layers):
        if not isinstance(layer, _HEAD):
            break
        head.add(layer)
    return head


def stored_dtypes(model: keras.Model) -> list[str]:
    """The dtype each weight is stored in: that which it is used in.

    Args:
        model: of `with_precision`.

    Returns:
        A name a weight, in the order of `model.weights`.
    """
    used = {
        id(weight): layer.compute_dtype
        for layer in model.layers
        # Its statistics and parameters are float32 whatever the images are.
        if not isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.weights
    }
    return [used.get(id(w), w.dtype) for w in model.weights]
