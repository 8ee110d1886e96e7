"""The paper's networks by name: `PreActResNet20` ... `ResNet200V2`.

There is one builder for each row of `MODELS`. `applications.pyi` lists them for
type checkers and editors; `tools/generate_stubs.py` writes it.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_resnetv2._options import attribute
from keras_resnetv2._standardization import Standardization
from keras_resnetv2.models import weights
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.configs import (
    MODELS,
    SIZE_FIELDS,
    RematName,
    ResNetConfig,
)

_DOC = """Builds {name}: {description}.

Reference: He et al., "Identity Mappings in Deep Residual Networks", 2016.

Args:
    include_top: whether to add global average pooling and the classifier.
    weights: None (random), "cifar10" or "imagenet" (published: see
        `list_models`), a network, or the path of a file of this package or
        another project: see the guide "Weights". If `classes` is another
        number than theirs, the classifier is not loaded, with a warning.
    input_tensor: a Keras tensor to build on, (batch, H, W, C).
    input_shape: (H, W, C); defaults to ({size}, {size}, 3). The network expects
        standardized pixels (see `preprocess_input`), unless it includes its
        preprocessing.
    pooling: output without the top: None (a map), "avg" or "max" (a vector).
    classes: number of classes. Defaults to the number of the weights, if they
        have one; otherwise to {classes}.
    classifier_activation: activation of the classifier; None gives logits.
    name: the model's name.
    include_preprocessing: whether the network takes pixels, 0 to 255, and
        standardizes them itself. True: use the statistics that belong to the
        weights. Or give a key of `STANDARDIZATIONS`, or a `Standardization`.
    features: whether to return the features of every resolution, without the
        top: {{"stride1": (batch, H, W, filters), ...}}; see `feature_taps`.
    remat: what training keeps for the backward pass: all activations ("none"),
        or the inputs of units ("unit") or stages ("stage"). It computes the
        rest again: less memory, more time. See `ResNet.remat`.
{options}

Returns:
    A `keras.Model` that maps (batch, H, W, C) to (batch, classes), or without
    the top to (batch, H / {strides}, W / {strides}, filters).

Raises:
    ValueError: if an argument does not fit; says which.
    OSError: if published weights cannot be found or downloaded.

Example:
    >>> import keras_resnetv2
    >>> model = keras_resnetv2.{name}()
    >>> model.output_shape
    (None, {classes})
"""


_OPTIONS = [
    field
    for field in dataclasses.fields(ResNetConfig)
    if field.name not in SIZE_FIELDS
]


def _keras_arguments(
    include_top: bool = True,
    weights: Any = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: Any = "softmax",
    name: str = ...,
    *,
    include_preprocessing: bool | str | Standardization = False,
    features: bool = False,
    remat: RematName = "none",
) -> keras.Model:
    """Has the arguments of `keras.applications` in order, and three more."""


def _signature(name, config):
    arguments = inspect.signature(_keras_arguments)
    own_name = arguments.parameters["name"].replace(default=name.lower())
    parameters = [*{**arguments.parameters, "name": own_name}.values()]
    parameters += [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(config, option.name),
            annotation=option.type,
        )
        for option in _OPTIONS
    ]
    return arguments.replace(parameters=parameters)


def _named_builder(model_name: str) -> Callable[..., keras.Model]:
    config = MODELS[model_name]
    signature = _signature(model_name, config)

    def builder(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{model_name}() {error}") from None
        bound.apply_defaults()
        arguments = bound.arguments
        options = {row.name: arguments.pop(row.name) for row in _OPTIONS}
        network = dataclasses.replace(config, **options)
        if arguments["classes"] is None:
            found = weights.find(arguments["weights"], network)
            arguments["weights"] = found
            network = weights.with_classes(network, found)
        return ResNetV2(network, **arguments)

    builder.__signature__ = signature
    builder.__annotations__ = {
        **{row.name: row.annotation for row in signature.parameters.values()},
        "return": signature.return_annotation,
    }
    builder.__name__ = builder.__qualname__ = model_name
    builder.__doc__ = _DOC.format(
        name=model_name,
        description=f"{config.unit} units, {config.units} in the stages of "
        f"{config.widths} filters",
        size=config.input_size,
        classes=config.classes,
        options="\n".join(
            attribute(field, getattr(config, field.name)) for field in _OPTIONS
        ),
        strides=config.strides,
    )
    return builder


globals().update({name: _named_builder(name) for name in MODELS})
