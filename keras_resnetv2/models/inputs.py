"""Makes and checks a network's input tensor."""

import numbers

import keras

from keras_resnetv2._graph import upstream


def check_data_format():
    """Checks that Keras's image data format is channels_last.

    Raises:
        ValueError: if it is not.
    """
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "keras_resnetv2 builds only channels_last networks (TensorFlow has "
            "no channels_first convolution on CPUs, and the fused batch "
            "normalization used here is channels_last); received "
            f"image_data_format={keras.config.image_data_format()!r}. Call "
            'keras.config.set_image_data_format("channels_last") and give '
            "images as (batch, height, width, channels)."
        )


def make(config, input_tensor, input_shape, pixels):
    """Returns a network's input tensor.

    Args:
        config: a `ResNetConfig`.
        input_tensor: a Keras tensor, or None.
        input_shape: (H, W, C), or None for the config's default.
        pixels: whether the network standardizes pixels itself.

    Raises:
        ValueError: if the tensor or the shape does not fit this network.
    """
    if input_tensor is not None:
        if input_shape is not None:
            raise ValueError(
                "Give input_tensor or input_shape, not both; received "
                f"input_shape={input_shape} with a tensor of shape "
                f"{input_tensor.shape}."
            )
        _check_input_tensor(input_tensor, pixels)
        _check_image_shape(tuple(input_tensor.shape[1:]), config)
        return input_tensor
    return keras.Input(image_shape(config, input_shape), name="images")


def image_shape(config, input_shape):
    """Returns the shape of a network's images.

    Args:
        config: a `ResNetConfig`.
        input_shape: (H, W, C), or None for the config's default.

    Returns:
        (H, W, C); H and W are None if they are None in input_shape.

    Raises:
        ValueError: if the shape does not fit this network.
    """
    size = config.input_size
    shape = (size, size, 3) if input_shape is None else input_shape
    _check_image_shape(shape, config)
    return tuple(shape)


def _check_input_tensor(tensor, pixels):
    if not keras.utils.is_keras_tensor(tensor):
        raise ValueError(
            "input_tensor must be a Keras tensor, for instance from "
            f"keras.Input; received a {type(tensor).__name__}. For arrays, "
            "build the model and call it on them."
        )
    if not pixels and not keras.backend.is_float_dtype(tensor.dtype):
        raise ValueError(
            "input_tensor must hold standardized pixels, which are floats; "
            f"received dtype {tensor.dtype}. Standardize it with "
            "preprocess_input, or give include_preprocessing."
        )


def source(tensor):
    """Returns the `keras.Input` of a tensor, or a list if it has several."""
    sources = [
        source
        for step in upstream([tensor])
        if step.node.is_input and not step.within
        for source in step.node.output_tensors
    ]
    return sources[0] if len(sources) == 1 else sources


def _check_image_shape(shape, config):
    least = config.strides
    sides_are_numbers = isinstance(shape, (tuple, list)) and all(
        side is None or isinstance(side, numbers.Integral) for side in shape
    )
    if (
        not sides_are_numbers
        or len(shape) != 3
        or shape[2] is None
        or shape[2] < 1
    ):
        raise ValueError(
            "Images must be (height, width, channels), channels last, with a "
            f"known number of channels; received {shape!r}."
        )
    if any(side is not None and side < least for side in shape[:2]):
        raise ValueError(
            f"Images must be at least {least} x {least} pixels for this "
            f"network, which reduces them to 1 x 1; received {shape}."
        )
