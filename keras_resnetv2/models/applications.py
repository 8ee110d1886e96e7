"""The paper's networks by name: `PreActResNet20` ... `ResNet200V2`."""

import dataclasses
from typing import Any, Protocol

import keras

from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.configs import MODELS

_DOC = """Builds {name}: {description}.

    Reference: He et al., "Identity Mappings in Deep Residual Networks", 2016.

    Args:
        include_top: whether to add global average pooling and the classifier.
        weights: None (random), "cifar10" (trained, where they are published:
            the README's table) or the path of a `.weights.h5` file.
        input_tensor: a Keras tensor to build on, (batch, H, W, C).
        input_shape: (H, W, C); defaults to ({size}, {size}, 3). Standardised
            pixels are expected: see `preprocess_input`.
        pooling: without the top: None (a map), "avg" or "max" (a vector).
        classes: number of classes; defaults to {classes}.
        classifier_activation: of the classifier; None gives logits.
        name: the model's name.
        activation_order: a row of Fig. 4: "original", "bn_after_addition",
            "relu_before_addition", "relu_only_preactivation" or
            "full_preactivation".
        shortcut: a branch of Fig. 2: "identity", "constant_scaling",
            "exclusive_gating", "shortcut_only_gating", "conv" or "dropout".
        shortcut_scale: factor on the shortcut (constant_scaling; None: 0.5).
        residual_scale: factor on F (constant_scaling; None: 0.5).
        gate_bias: initial bias of the gates (gating; None: -6.0).
        dropout_rate: of the shortcut (dropout; None: 0.5).
        unit: "basic", "bottleneck" or "single" (Table 3's 1-layer skip).
        dimension_change: "padding" (option A) or "projection" (option B); None:
            the paper's, A in CIFAR nets of basic or single units, else B.
        bottleneck_stride: "conv1" (the paper's) or "conv2".
        kernel_initializer: of the convolutions, "he_normal" or
            "he_normal_fan_out".
        batch_normalization: "per_replica" or "synchronized" (TensorFlow).
        stochastic_depth: rate at which the last unit drops F in training; the
            units before it in proportion to their place. Defaults to 0, off.

    Returns:
        A `keras.Model`: (batch, H, W, C) to (batch, classes), or without the
        top to (batch, H / {strides}, W / {strides}, filters).

    Raises:
        ValueError: for an argument that does not fit; it says which.
        OSError: if a file of published weights is not to be had.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.{name}()
        >>> model.output_shape
        (None, {classes})
    """


class NamedBuilder(Protocol):
    """The signature that every named builder has."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | None = None,
        input_tensor: Any = None,
        input_shape: tuple[int | None, int | None, int] | None = None,
        pooling: str | None = None,
        classes: int = ...,
        classifier_activation: Any = "softmax",
        name: str = ...,
        *,
        activation_order: str = "full_preactivation",
        shortcut: str = "identity",
        shortcut_scale: float | None = None,
        residual_scale: float | None = None,
        gate_bias: float | None = None,
        dropout_rate: float | None = None,
        unit: str = ...,
        dimension_change: str | None = None,
        bottleneck_stride: str = "conv1",
        kernel_initializer: str = "he_normal",
        batch_normalization: str = "per_replica",
        stochastic_depth: float = 0.0,
    ) -> keras.Model:
        """Builds the network."""
        ...


def _named_builder(model_name: str) -> NamedBuilder:
    config = MODELS[model_name]

    def builder(
        include_top=True,
        weights=None,
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=config.classes,
        classifier_activation="softmax",
        name=model_name.lower(),
        *,
        activation_order="full_preactivation",
        shortcut="identity",
        shortcut_scale=None,
        residual_scale=None,
        gate_bias=None,
        dropout_rate=None,
        unit=config.unit,
        dimension_change=None,
        bottleneck_stride="conv1",
        kernel_initializer="he_normal",
        batch_normalization="per_replica",
        stochastic_depth=0.0,
    ):
        return ResNetV2(
            dataclasses.replace(
                config,
                activation_order=activation_order,
                shortcut=shortcut,
                shortcut_scale=shortcut_scale,
                residual_scale=residual_scale,
                gate_bias=gate_bias,
                dropout_rate=dropout_rate,
                unit=unit,
                dimension_change=dimension_change,
                bottleneck_stride=bottleneck_stride,
                kernel_initializer=kernel_initializer,
                batch_normalization=batch_normalization,
                stochastic_depth=stochastic_depth,
            ),
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            name=name,
        )

    builder.__annotations__ = dict(NamedBuilder.__call__.__annotations__)
    builder.__name__ = builder.__qualname__ = model_name
    builder.__doc__ = _DOC.format(
        name=model_name,
        description=f"{config.unit} units, {config.units} in the stages of "
        f"{config.widths} filters",
        size=config.input_size,
        classes=config.classes,
        strides=config.strides,
    )
    return builder


PreActResNet20 = _named_builder("PreActResNet20")
PreActResNet32 = _named_builder("PreActResNet32")
PreActResNet44 = _named_builder("PreActResNet44")
PreActResNet56 = _named_builder("PreActResNet56")
PreActResNet110 = _named_builder("PreActResNet110")
PreActResNet1202 = _named_builder("PreActResNet1202")
PreActResNet164 = _named_builder("PreActResNet164")
PreActResNet1001 = _named_builder("PreActResNet1001")
ResNet18V2 = _named_builder("ResNet18V2")
ResNet34V2 = _named_builder("ResNet34V2")
ResNet50V2 = _named_builder("ResNet50V2")
ResNet101V2 = _named_builder("ResNet101V2")
ResNet152V2 = _named_builder("ResNet152V2")
ResNet200V2 = _named_builder("ResNet200V2")
