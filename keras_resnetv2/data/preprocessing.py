"""`preprocess_input`: standardizes images for a network."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_resnetv2._origin import get_standardization

# Public names of this package, defined where models can also import them.
from keras_resnetv2._standardization import (
    STANDARDIZATION_KINDS as STANDARDIZATION_KINDS,
)
from keras_resnetv2._standardization import (
    STANDARDIZATIONS as STANDARDIZATIONS,
)
from keras_resnetv2._standardization import (
    Standardization,
    framework_of,
    rank_of,
)

if TYPE_CHECKING:
    import keras


def preprocess_input(
    images: Any,
    standardization: "keras.Model | str | Standardization | None" = None,
) -> Any:
    """Standardizes images for a network, as in its training.

    This subtracts a mean and divides by a standard deviation.

    Args:
        images: one image (height, width, channels) or a batch of them (N,
            height, width, channels), integers or floats from 0 to 255: an
            array, or a tensor of Keras, TensorFlow, JAX or PyTorch. It also
            works in `dataset.map`, on a `keras.Input` and in a `Lambda` layer.
        standardization: the network, if it has published weights or was
            trained by this package; or a key of `STANDARDIZATIONS`, or a
            `Standardization`. If the network includes its preprocessing, the
            images do not change.

    Returns:
        A float32 array or tensor of the same shape.

    Raises:
        ValueError: if the standardization is missing or unknown, or the rank,
            the channels or the type of the images is wrong.

    Reference:
        keras.applications.imagenet_utils.preprocess_input.

    Example:
        >>> import numpy as np
        >>> image = np.full((32, 32, 3), 128, np.uint8)
        >>> preprocess_input(image, "cifar10").shape
        (32, 32, 3)
    """
    if standardization is None:
        raise ValueError(
            "preprocess_input needs the network that the images are for: "
            "preprocess_input(images, model). Or give the name of its "
            'dataset, such as "cifar10", or its Standardization.'
        )
    if framework_of(images) is None:
        images = np.asarray(images)
    if not hasattr(images, "shape"):
        raise ValueError(
            "Expected images as an array or a tensor; received a "
            f"{type(images).__name__}. Give the images first and the network "
            "second. For a tf.data.Dataset, call dataset.map(lambda images, "
            "*labels: (preprocess_input(images, network), *labels))."
        )
    standardization = get_standardization(standardization)
    _check_values(images)
    if rank_of(images) not in (3, 4, None):
        raise ValueError(
            f"Expected one image (height, width, channels) or a batch (N, "
            f"height, width, channels); received shape {images.shape}."
        )
    return standardization(images)


def _check_values(images: Any) -> None:
    """Checks that images have numbers; warns if they are already scaled."""
    values = _values(images)
    if values is None:
        return
    if values.dtype.kind not in "uif":
        raise ValueError(
            "Expected images of uint8 or float values; received "
            f"{values.dtype}."
        )
    if values.dtype.kind != "f" or not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if low < 0 or 0 < high <= 1:
        warnings.warn(
            f"The images have values from {low:g} to {high:g}; expected pixel "
            f"values from 0 to 255. Multiply images in 0..1 by 255, and do not "
            f"standardize twice.",
            stacklevel=3,
        )


def _values(images: Any) -> np.ndarray | None:
    """Returns an array's or tensor's numbers; None for a symbolic tensor."""
    is_float = "float" in str(images.dtype)
    try:
        if framework_of(images) == "torch":
            images = images.detach().cpu()
            images = images.float() if is_float else images
        # NumPy has no bfloat16.
        return np.asarray(images, np.float32 if is_float else None)
    # Frameworks raise different errors for a symbolic tensor.
    except (RuntimeError, TypeError, ValueError):
        return None
