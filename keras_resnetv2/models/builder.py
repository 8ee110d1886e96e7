"""`ResNetV2`: builds stem, stages and head as a functional `keras.Model`."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_resnetv2._checks import check_choice
from keras_resnetv2._origin import Origin, get_standardization
from keras_resnetv2._standardization import STANDARDIZATIONS, Standardization
from keras_resnetv2.models import inputs as inputs_lib
from keras_resnetv2.models import layer_names, layers
from keras_resnetv2.models import weights as weights_lib
from keras_resnetv2.models.activations import (
    ACTIVATION_ORDERS,
    BETWEEN,
    end_of_network,
)
from keras_resnetv2.models.configs import (
    RematName,
    ResNetConfig,
    check_config,
    find_config,
)
from keras_resnetv2.models.first_step import quick_variables
from keras_resnetv2.models.network import ResNet, set_origin
from keras_resnetv2.models.network_configs import config_of, first_bn
from keras_resnetv2.models.remat import check_remat
from keras_resnetv2.models.specs import STEMS
from keras_resnetv2.models.units import residual_unit

_POOLINGS = {
    None: None,
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def ResNetV2(
    config: ResNetConfig | str,
    *,
    include_top: bool = True,
    weights: Any = None,
    input_tensor=None,
    input_shape: tuple | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation="softmax",
    name: str | None = None,
    include_preprocessing: bool | str | Standardization = False,
    features: bool = False,
    remat: RematName = "none",
) -> keras.Model:
    """Builds any network that a `ResNetConfig` describes.

    Reference: He et al., "Identity Mappings in Deep Residual Networks", 2016.

    Layers are named by their position: `stem_conv`, `stage2_unit1_conv1`,
    `stage2_unit1_out`, `head_relu`, `predictions`; see `feature_taps`. Under a
    mixed-precision policy, pooling and classifier compute in float32.

    Args:
        config: the network's config, or its name: see `list_models`.
        include_top: whether to add global average pooling and the classifier.
        weights: None (random), "cifar10" or "imagenet" (published: see
            `list_models`), a network, or the path of a file of this package or
            another project: see the guide "Weights". If `classes` is another
            number than theirs, the classifier is not loaded, with a warning.
        input_tensor: a Keras tensor to build on, (batch, H, W, C).
        input_shape: (H, W, C) without the batch; H and W may be None. Defaults
            to (32, 32, 3) for a CIFAR stem, (224, 224, 3) for an ImageNet stem,
            (299, 299, 3) with reference="keras_applications". The network
            expects standardized pixels (see `preprocess_input`), unless it
            includes its preprocessing.
        pooling: output without the top: None (a map), "avg" or "max" (a
            vector).
        classes: number of classes. Defaults to `config.classes`; with a name
            as config, to the number of the weights, if they have one.
        classifier_activation: activation of the classifier; None gives logits.
        name: the model's name. Defaults to the name given as `config`, in
            lower case, or "resnetv2".
        include_preprocessing: whether the network takes pixels, 0 to 255, and
            standardizes them itself. True: use the statistics that belong to
            the weights. Or give a key of `STANDARDIZATIONS`, or a
            `Standardization`.
        features: whether to return the features of every resolution, without
            the top: {"stride1": (batch, H, W, filters), ...}; see
            `feature_taps`.
        remat: what training keeps for the backward pass: all activations
            ("none"), or the inputs of units ("unit") or stages ("stage"). It
            computes the rest again: less memory, more time. See `ResNet.remat`.

    Returns:
        A `keras.Model` that maps (batch, H, W, C) to (batch, classes), or
        without the top to (batch, H / config.strides, W / config.strides,
        filters).

    Raises:
        ValueError: if an argument does not fit; says which.
        OSError: if published weights cannot be found or downloaded.

    Example:
        >>> from keras_resnetv2 import ResNetConfig, ResNetV2
        >>> ResNetV2(ResNetConfig(depth=26, widths=(32, 64, 128))).output_shape
        (None, 10)
    """
    by_name = isinstance(config, str)
    if by_name:
        name = name or config.lower()
        config = find_config(config)
    check_config(config)
    check_remat(remat)
    inputs_lib.check_data_format()
    if classes is not None:
        config = dataclasses.replace(config, classes=classes)
    if features:
        _check_features(pooling)
        include_top = False
    if include_preprocessing is None:
        include_preprocessing = False
    found = weights_lib.find(weights, config)
    if by_name and classes is None:
        config = weights_lib.with_classes(config, found)
    origin = with_preprocessing(
        found.origin if found else Origin(),
        include_preprocessing,
        is_certain=found is not None and found.is_certain,
    )
    check_choice("pooling", pooling, _POOLINGS)
    inputs = inputs_lib.make(
        config,
        input_tensor,
        input_shape,
        pixels=include_preprocessing is not False,
    )

    if include_top:
        pooling = "avg"
    x = inputs
    with quick_variables():
        if include_preprocessing is not False:
            x = _preprocessing(x, origin.standardization)
        x = body(x, config)
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
    model = ResNet(inputs, x, name=name or "resnetv2")
    first_bn(model).network_config = config.to_text()
    has_head = weights_lib.load(model, found)
    set_origin(model, weights_lib.fitted_origin(origin, model, has_head))
    if features:
        taps = feature_taps(config).items()
        outputs = {stride: model.get_layer(tap).output for stride, tap in taps}
        model = ResNet(inputs, outputs, name=model.name)
    model.remat = remat
    return model


def _check_features(pooling):
    if pooling is not None:
        raise ValueError(
            "features=True returns the maps of every resolution; received "
            f"pooling={pooling!r}. Omit one of the two."
        )


def with_preprocessing(
    origin: Origin,
    include_preprocessing: bool | str | Standardization,
    is_certain: bool = True,
) -> Origin:
    """Returns a network's origin with the requested preprocessing.

    Args:
        origin: the origin of its weights.
        include_preprocessing: see `ResNetV2`.
        is_certain: whether the weights were certainly trained with the
            origin's standardization; otherwise another one replaces it.

    Raises:
        ValueError: if the weights need another preprocessing, or do not know
            theirs.
    """
    if include_preprocessing is False:
        return origin
    own = origin.standardization
    if include_preprocessing is True:
        if own is None:
            raise ValueError(
                "include_preprocessing=True needs weights whose statistics are "
                "known, such as published ones; received "
                f"weights={origin.weights!r}. Give one of "
                f"{sorted(STANDARDIZATIONS)}, or a Standardization."
            )
        return origin
    asked = get_standardization(include_preprocessing)
    if own is not None and asked != own and is_certain:
        raise ValueError(
            f"weights={origin.weights!r} were trained with a standardization "
            "that differs from include_preprocessing. Build the network with "
            "include_preprocessing=True."
        )
    return dataclasses.replace(origin, standardization=asked)


def _preprocessing(x, standardization):
    standardization.check_shape(x.shape)
    if standardization.mean.ndim == 3 and None in x.shape[1:]:
        raise ValueError(
            "A mean per pixel needs images of a fixed size; received "
            f"{tuple(x.shape[1:])}. Give input_shape="
            f"{standardization.mean.shape}."
        )
    return keras.layers.Normalization(
        axis=tuple(range(-standardization.mean.ndim, 0)),
        mean=standardization.mean,
        variance=np.square(standardization.std, dtype=np.float64),
        # Half precision is too coarse for pixels.
        dtype="float32",
        name=layer_names.PREPROCESSING,
    )(x)


def body(x, config: ResNetConfig):
    """Builds stem and stages, up to the activation after the last addition.

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
        batch_normalization=config.batch_norm_spec,
        name=layer_names.HEAD,
    )


def feature_taps(network: ResNetConfig | str | keras.Model) -> dict[str, str]:
    """Returns the name of the last layer of each resolution.

    Args:
        network: a network of this package, its config, or its name.

    Returns:
        A dict {"stride4": "stage1_unit3_out", ...} from output strides, in
        input pixels, to layer names. The outputs of these layers are the last
        raw signals of their resolution. The last one comes after the network's
        last activation, if it has one.

    Example:
        >>> from keras_resnetv2 import feature_taps
        >>> feature_taps("PreActResNet20")["stride2"]
        'stage2_unit3_out'
    """
    config = _config_of(network)
    strides = STEMS[config.stem].strides
    taps = {f"stride{strides}": end_of_stem(config)}
    for unit_name, spec in config.unit_specs():
        strides *= spec.strides
        taps[f"stride{strides}"] = f"{unit_name}_out"
    end = end_of_network(ACTIVATION_ORDERS[config.activation_order])
    if end:
        taps[f"stride{config.strides}"] = f"{layer_names.HEAD}_{end[-1]}"
    return taps


def end_of_stem(config: ResNetConfig) -> str:
    """Returns the name of the stem's last layer."""
    stem = STEMS[config.stem]
    if stem.pooled:
        return f"{layer_names.STEM}_pool"
    if config.traits.after_stem:
        return f"{layer_names.STEM}_{config.traits.after_stem[-1]}"
    return _stem_convs(stem)[-1]


def _stem_convs(stem):
    """Returns the names of a stem's convolutions."""
    name = f"{layer_names.STEM}_conv"
    if len(stem.convs) == 1:
        return [name]
    return [f"{name}{i + 1}" for i in range(len(stem.convs))]


def _config_of(network):
    if isinstance(network, str):
        return find_config(network)
    if isinstance(network, keras.Model):
        return config_of(network)
    check_config(network)
    return network


def _stem(x, config):
    stem, traits = STEMS[config.stem], config.traits
    bn = {"batch_normalization": config.batch_norm_spec}
    names = _stem_convs(stem)
    for i, (kernel_size, part) in enumerate(stem.convs):
        x = layers.conv(
            x,
            max(1, int(part * config.widths[0])),
            kernel_size,
            strides=stem.conv_strides if i == 0 else 1,
            initializer=config.kernel_initializer,
            bias=0.0 if "stem" in traits.biased else None,
            name=names[i],
        )
        last = i == len(names) - 1
        x = layers.apply_ops(
            x,
            traits.after_stem if last else BETWEEN,
            name=layer_names.STEM if last else names[i],
            **bn,
        )
    if stem.pooled:
        pool = f"{layer_names.STEM}_pool"
        x = layers.max_pool(x, padding=traits.pool_padding, name=pool)
    return x


def _head_dtype():
    """Returns float32 in mixed precision: half is too coarse for logits."""
    policy = keras.config.dtype_policy()
    return "float32" if policy.compute_dtype.endswith("float16") else policy
