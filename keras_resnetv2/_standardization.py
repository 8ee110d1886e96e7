"""Standardizes pixels, in training and in serving."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnetv2._checks import check_choice
from keras_resnetv2._text import brief

_CHUNK = 1024


def _in_numpy(images, mean, std):
    return (images.astype(np.float32) - mean) / std


def _in_keras(images, mean, std):
    import keras

    return (keras.ops.cast(images, "float32") - mean) / std


def _in_tensorflow(images, mean, std):
    import tensorflow as tf

    return (tf.cast(images, tf.float32) - mean) / std


def _in_torch(images, mean, std):
    import torch

    mean, std = (
        torch.tensor(part, device=images.device) for part in (mean, std)
    )
    return (images.float() - mean) / std


# Package of a tensor's class -> function.
_FRAMEWORKS = {
    "keras": _in_keras,
    "tensorflow": _in_tensorflow,
    "jax": _in_numpy,
    "jaxlib": _in_numpy,
    "torch": _in_torch,
}


def rank_of(images: Any) -> int | None:
    """Returns a tensor's rank; None if it is unknown in TensorFlow's graph."""
    known = getattr(images.shape, "rank", 0) is not None
    return len(images.shape) if known else None


def framework_of(images: Any) -> str | None:
    """Returns the name of a tensor's package; None for other values."""
    roots = (kind.__module__.split(".")[0] for kind in type(images).__mro__)
    return next((root for root in roots if root in _FRAMEWORKS), None)


@dataclasses.dataclass(frozen=True, eq=False)
class Standardization:
    """Subtracts a mean from 0..255 pixels, and divides by a deviation.

    Attributes:
        mean: float32 in 0..255, shape (channels,), or (height, width,
            channels) for a mean per pixel.
        std: float32, larger than 0, of the same shape.

    Raises:
        ValueError: if their shapes differ, or a value is invalid.
    """

    mean: np.ndarray
    std: np.ndarray

    __repr__ = brief

    def __post_init__(self):
        """Makes read-only float32 arrays, and checks them."""
        for name in ("mean", "std"):
            value = np.array(getattr(self, name), np.float32)
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        if self.mean.shape != self.std.shape or self.mean.ndim not in (1, 3):
            raise ValueError(
                f"mean and std must both have shape (channels,) or (height, "
                f"width, channels); received {self.mean.shape} and "
                f"{self.std.shape}."
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all()):
            raise ValueError(
                "mean and std must be finite; received inf or nan."
            )
        if not (self.std > 0).all():
            raise ValueError(
                f"std must be larger than 0; received {self.std.min()}. A "
                "channel may be the same in all images."
            )

    @classmethod
    def from_images(
        cls, images: np.ndarray, kind: str = "per_channel"
    ) -> "Standardization":
        """Measures images in float64, in chunks.

        Args:
            images: (N, height, width, channels), values 0 to 255.
            kind: a key of `STANDARDIZATION_KINDS`. "per_channel": mean and
                standard deviation of each channel over all pixels.
                "per_pixel_mean" (He et al. 2015 and 2016 on CIFAR): the mean
                of each pixel, and deviation 1.

        Returns:
            The standardization of these images.

        Raises:
            ValueError: for an unknown kind, or images of another rank.
        """
        images = np.asarray(images)
        if images.ndim != 4 or not len(images):
            raise ValueError(
                "Expected images of shape (N, height, width, channels); "
                f"received {images.shape}."
            )
        check_choice("kind", kind, STANDARDIZATION_KINDS)
        return cls(*STANDARDIZATION_KINDS[kind](images))

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """Checks that images have a shape that fits.

        Args:
            shape: shape of an image or a batch; it ends in (height, width,
                channels). None stands for an unknown side.

        Raises:
            ValueError: if the last dimensions differ from the mean's.
        """
        shape, wanted = tuple(shape), self.mean.shape
        known = zip(shape[-len(wanted) :], wanted)
        if len(shape) < 3 or any(
            got not in (None, want) for got, want in known
        ):
            raise ValueError(
                f"Images of shape {shape} do not fit a mean of shape "
                f"{wanted}, which must be the end of (..., height, width, "
                f"channels). Measure these images with "
                f"Standardization.from_images, or resize them."
            )

    def __call__(self, images: Any) -> Any:
        """Standardizes images.

        Args:
            images: (..., height, width, channels), 0 to 255: an array, or a
                tensor of Keras, TensorFlow, JAX or PyTorch, symbolic or not.

        Returns:
            A float32 array or tensor of the same shape.

        Raises:
            ValueError: if their shape does not fit.
        """
        framework = framework_of(images)
        if framework is None:
            images = np.asarray(images)
        if rank_of(images) is not None:
            self.check_shape(images.shape)
        subtract_and_divide = _FRAMEWORKS.get(framework, _in_numpy)
        return subtract_and_divide(images, self.mean, self.std)

    def __eq__(self, other: object) -> bool:
        """Returns whether both have the same numbers, to the bit."""
        if not isinstance(other, Standardization):
            return NotImplemented
        return np.array_equal(self.mean, other.mean) and np.array_equal(
            self.std, other.std
        )

    def __hash__(self) -> int:
        """Hashes the numbers."""
        return hash((self.mean.tobytes(), self.std.tobytes()))

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers as lists, for `from_json`.

        Returns:
            A dictionary for `json.dump`. The float32 values are kept to the
            bit.
        """
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Standardization":
        """Makes a standardization from the output of `to_json`.

        Args:
            value: a mapping with exactly the keys "mean" and "std".

        Returns:
            A standardization equal to the original one.

        Raises:
            ValueError: if it is not such a mapping.
        """
        if not isinstance(value, Mapping) or set(value) != {"mean", "std"}:
            raise ValueError(
                "Expected a dictionary with the keys 'mean' and 'std'; "
                "received "
                f"{sorted(value) if isinstance(value, Mapping) else value!r}."
            )
        return cls(value["mean"], value["std"])


def _chunks(images):
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK].astype(np.float64)


def _measure_channels(images):
    pixels = images.size // images.shape[-1]
    over = (0, 1, 2)
    mean = sum(part.sum(over) for part in _chunks(images)) / pixels
    # A second pass, because a difference of squares loses digits.
    squares = sum(((part - mean) ** 2).sum(over) for part in _chunks(images))
    return mean, np.sqrt(squares / pixels)


def _measure_pixels(images):
    mean = sum(part.sum(0) for part in _chunks(images)) / len(images)
    return mean, np.ones_like(mean)


STANDARDIZATION_KINDS: dict[
    str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
] = {
    "per_channel": _measure_channels,
    "per_pixel_mean": _measure_pixels,
}

STANDARDIZATIONS: dict[str, Standardization] = {
    # from_images over the 50,000 training images.
    "cifar10": Standardization(
        mean=[125.306918046875, 122.950394140625, 113.86538318359375],
        std=[62.99321927773775, 62.08870764036511, 66.70489964065086],
    ),
    # Of its 50,000 training images. Not measured here: public code for this
    # dataset agrees on the digits, and `publish` compares them with the images.
    "cifar100": Standardization(
        mean=[129.304165605469, 124.069962695312, 112.434050058594],
        std=[68.1702428992064, 65.3918080438575, 70.4183701880494],
    ),
    # Those of torchvision and fb.resnet.torch, which divide pixels by 255.
    "imagenet": Standardization(
        mean=np.multiply([0.485, 0.456, 0.406], 255),
        std=np.multiply([0.229, 0.224, 0.225], 255),
    ),
    # From -1 to 1, as in keras.applications' ResNetV2 and timm's resnetv2.
    "inception": Standardization(mean=[127.5] * 3, std=[127.5] * 3),
}
