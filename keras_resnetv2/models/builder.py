"""`ResNetV2`: stem, stages, head, as a functional `keras.Model`."""

import dataclasses

import keras

from keras_resnetv2._checks import check_choice
from keras_resnetv2.models import inputs as inputs_lib
from keras_resnetv2.models import layer_names, layers
from keras_resnetv2.models import weights as weights_lib
from keras_resnetv2.models.activations import (
    ACTIVATION_ORDERS,
    STEM,
    end_of_network,
)
from keras_resnetv2.models.configs import ResNetConfig, check_config
from keras_resnetv2.models.network import ResNet
from keras_resnetv2.models.specs import STEMS
from keras_resnetv2.models.units import residual_unit

_POOLINGS = {
    None: None,
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def ResNetV2(
    config: ResNetConfig,
    *,
    include_top: bool = True,
    weights: str | None = None,
    input_tensor=None,
    input_shape: tuple | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation="softmax",
    name: str = "resnetv2",
) -> keras.Model:
    """Builds any network that a `ResNetConfig` describes.

    Reference: He et al., "Identity Mappings in Deep Residual Networks", 2016.

    Layers are named by place: `stem_conv`, `stage2_unit1_conv1`,
    `stage2_unit1_out`, `head_relu`, `predictions`; see `feature_taps`. Under a
    mixed-precision policy the head computes in float32.

    Args:
        config: the network.
        include_top: whether to add global average pooling and the classifier.
        weights: None (random), "cifar10" (trained, where they are published:
            the README's table) or the path of a `.weights.h5` file.
        input_tensor: a Keras tensor to build on, (batch, H, W, C).
        input_shape: (H, W, C) without the batch; H and W may be None. Defaults
            to (32, 32, 3) for a CIFAR stem, (224, 224, 3) for an ImageNet stem.
            Standardised pixels are expected: see `preprocess_input`.
        pooling: without the top: None (a map), "avg" or "max" (a vector).
        classes: number of classes; defaults to `config.classes`.
        classifier_activation: of the classifier; None gives logits.
        name: the model's name.

    Returns:
        A `keras.Model`: (batch, H, W, C) to (batch, classes), or without the
        top to (batch, H / config.strides, W / config.strides, filters).

    Raises:
        ValueError: for an argument that does not fit; it says which.
        OSError: if a file of published weights is not to be had.

    Example:
        >>> from keras_resnetv2 import ResNetConfig, ResNetV2
        >>> ResNetV2(ResNetConfig(depth=26, widths=(32, 64, 128))).output_shape
        (None, 10)
    """
    check_config(config)
    inputs_lib.check_data_format()
    if classes is not None:
        config = dataclasses.replace(config, classes=classes)
    weights = weights_lib.find(weights, config, include_top)
    check_choice("pooling", pooling, _POOLINGS)
    inputs = inputs_lib.make(config, input_tensor, input_shape)

    x = features(inputs, config)
    if include_top:
        pooling = "avg"
    if pooling:
        pool = _POOLINGS[pooling]
        x = pool(name=f"{pooling}_pool", dtype=_head_dtype())(x)
    if include_top:
        x = keras.layers.Dense(
            config.classes,
            activation=classifier_activation,
            kernel_initializer=layers.kernel_initializer("he_normal"),
            dtype=_head_dtype(),
            name=layer_names.CLASSIFIER,
        )(x)

    if input_tensor is not None:
        inputs = inputs_lib.source(input_tensor)
    model = ResNet(inputs, x, name=name)
    model.get_layer(f"{layer_names.STEM}_bn").network_config = config.to_json()
    weights_lib.load(model, weights)
    return model


def features(x, config: ResNetConfig):
    """Stem and stages, up to the activation behind the last addition.

    Args:
        x: (batch, H, W, C).
        config: the network.

    Returns:
        (batch, H / config.strides, W / config.strides, filters).
    """
    x = _stem(x, config)
    for unit_name, spec in config.unit_specs():
        x = residual_unit(x, spec, unit_name)
    return layers.apply_ops(
        x,
        end_of_network(ACTIVATION_ORDERS[config.activation_order]),
        batch_normalization=config.batch_normalization,
        name=layer_names.HEAD,
    )


def feature_taps(config: ResNetConfig) -> dict[str, str]:
    """Names the layers at which each resolution ends, by stride.

    Args:
        config: the network.

    Returns:
        {"stride4": "stage1_unit3_out", ...}: output stride in input pixels to
        the layer's name, the raw signal after the stage's last addition; for
        the last stage behind the network's last activation, where it has one.

    Example:
        >>> from keras_resnetv2 import MODELS, feature_taps
        >>> feature_taps(MODELS["PreActResNet20"])["stride2"]
        'stage2_unit3_out'
    """
    first = config.strides // 2 ** (len(config.units) - 1)
    taps = {
        f"stride{first * 2**s}": f"{layer_names.unit(s + 1, units)}_out"
        for s, units in enumerate(config.units)
    }
    end = end_of_network(ACTIVATION_ORDERS[config.activation_order])
    if end:
        taps[f"stride{config.strides}"] = f"{layer_names.HEAD}_{end[-1]}"
    return taps


def gives_logits(model: keras.Model) -> bool:
    """Whether a classifier gives logits (True) or probabilities (False).

    Raises:
        ValueError: if its last layer is no classifier of either kind.
    """
    activation = getattr(model.layers[-1], "activation", None)
    kinds = {keras.activations.linear: True, keras.activations.softmax: False}
    if activation not in kinds or len(model.output_shape) != 2:
        raise ValueError(
            f"{model.name} ends in {model.layers[-1].name!r}, which gives "
            "neither logits nor softmax probabilities. Build it with "
            'include_top=True and classifier_activation=None or "softmax".'
        )
    return kinds[activation]


def _stem(x, config):
    stem = STEMS[config.stem]
    x = layers.conv(
        x,
        config.widths[0],
        stem.kernel_size,
        strides=stem.conv_strides,
        initializer=config.kernel_initializer,
        name=f"{layer_names.STEM}_conv",
    )
    x = layers.apply_ops(
        x,
        STEM,
        batch_normalization=config.batch_normalization,
        name=layer_names.STEM,
    )
    if stem.pooled:
        x = layers.max_pool(x, name=f"{layer_names.STEM}_pool")
    return x


def _head_dtype():
    """float32 under mixed precision, where half is too coarse for logits."""
    policy = keras.config.dtype_policy()
    return "float32" if policy.compute_dtype.endswith("float16") else policy
