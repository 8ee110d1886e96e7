"""Endless shuffled batches for training, ordered ones for evaluation.

Position `p = step * batch_size + i` of a training stream lies in epoch
`p // n` of `n` images. Every epoch is a fresh permutation: every image occurs
once per epoch, every batch is full, and a batch may extend into the next
epoch. The stream depends on the seed and the step only: a stream that begins
at a later step continues exactly as one that began at step 0.

Images in memory are augmented batch by batch. Encoded images are augmented one
by one while they are decoded. Both are mixed batch by batch.
"""

import dataclasses
import importlib
import numbers
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from keras_resnetv2._checks import (
    COUNT_OR_ZERO,
    Number,
    check_choice,
    check_count,
    check_number,
)
from keras_resnetv2._origin import get_standardization
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._standardization import Standardization
from keras_resnetv2.data.augmentation import AUGMENTATIONS, Augmentation
from keras_resnetv2.data.image_data import EncodedImages, ImageData
from keras_resnetv2.data.mixing import Mixing
from keras_resnetv2.data.rand_augment import MAGNITUDE

if TYPE_CHECKING:
    import tensorflow as tf

# Each has training(TrainingStream) and evaluation(EvaluationStream).
FRAMEWORKS = {
    "tensorflow": "tensorflow_stream",
    "numpy": "numpy_stream",
    "device": "device_stream",
}
_SEED = Number(
    lambda value: 0 <= value < 2**63, "a whole number from 0 to 2**63 - 1"
)
_OPENED_BY_THE_OTHER = {"encoded": "load_arrays", "in_memory": "open_images"}


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of every batch that one of several processes makes.

    A batch is cut into one piece for each replica. The processes take turns:
    `Model.predict` puts its results together in this order.

    Attributes:
        process: number of the process, from 0.
        processes: how many there are.
        replicas: how many there are on all processes, a multiple of them.
    """

    process: int
    processes: int
    replicas: int

    def places(self, batch_size: int) -> np.ndarray:
        """Returns the places of the images within the batch.

        Args:
            batch_size: images per batch, a multiple of the replicas.

        Returns:
            int64, (replicas of this process, images of each).
        """
        pieces = np.arange(batch_size).reshape(
            -1, self.processes, batch_size // self.replicas
        )
        return pieces[:, self.process]


@dataclasses.dataclass(frozen=True)
class TrainingStream:
    """A checked training stream; `training_batches` explains each field."""

    data: ImageData | EncodedImages
    batch_size: int
    standardization: Standardization
    augmentation: Augmentation
    rand_augment: int
    mixing: Mixing
    image_size: int | None
    seed: int
    first_step: int
    steps: int
    part: Part | None = None


@dataclasses.dataclass(frozen=True)
class EvaluationStream:
    """A checked evaluation stream; see `evaluation_batches`."""

    data: ImageData | EncodedImages
    batch_size: int
    standardization: Standardization
    image_size: int | None
    resize: int | None
    part: Part | None = None

    @property
    def steps(self) -> int:
        """The number of full batches that hold every image at least once."""
        return -(-len(self.data) // self.batch_size)


def places_of(stream: TrainingStream | EvaluationStream) -> np.ndarray:
    """Returns the places within a batch of the images to make: int64, (N,)."""
    if stream.part is None:
        return np.arange(stream.batch_size)
    return stream.part.places(stream.batch_size).ravel()


def training_batches(
    data: ImageData | EncodedImages,
    *,
    batch_size: int,
    standardization: str | Standardization,
    augmentation: str = "crop_flip",
    rand_augment: int = 0,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    image_size: int | None = None,
    seed: int = 0,
    first_step: int = 0,
    steps: int,
    framework: str = "tensorflow",
    part: Part | None = None,
) -> "tf.data.Dataset | Iterator[tuple[np.ndarray, np.ndarray]]":
    """Streams the batches of steps `first_step` to `steps - 1`.

    Args:
        data: the training images.
        batch_size: images per batch, summed over all replicas.
        standardization: a `Standardization`, or a key of `STANDARDIZATIONS`.
        augmentation: a key of `AUGMENTATIONS`. For `ImageData`: "crop_flip".
            For `EncodedImages`: "scale" (shorter side uniform in 256..480 at
            image_size 224, in proportion at other sizes; random crop, flip) or
            "scale_aspect_ratio" (a crop with 8 to 100 % of the area and an
            aspect ratio of 3/4 to 4/3; flip). For both: "none" (encoded images
            are cropped as in evaluation).
        rand_augment: magnitude of RandAugment, 0 to 30; 0 is off. It comes
            before the flips and crops of images in memory, and after the crops
            of encoded images.
        mixup: alpha of mixup, see `Mixing`; 0 is off.
        cutmix: alpha of CutMix; 0 is off.
        image_size: side in pixels of the squares cut from encoded images;
            `None` for `ImageData`, which already has a size.
        seed: determines order and augmentation, 0 or larger. "tensorflow"
            draws other numbers from it than "numpy" and "device".
        first_step: the step to begin at, such as that of a checkpoint.
        steps: the step to end before, counted from step 0.
        framework: "tensorflow" for a `tf.data.Dataset`; "numpy" for a
            generator that needs no TensorFlow; "device" for a generator of the
            same batches as "numpy", made from images in memory on the device
            of Keras's backend (JAX, PyTorch).
        part: makes only this process's part of every batch, one element for
            each of its replicas; "numpy" and "device" make one element, so
            there must be as many replicas as processes. `None`: whole batches.

    Returns:
        Batches of float32 images (batch_size, height, width, 3) and int32
        labels (batch_size,); of mixed images, float32 labels (batch_size,
        classes).

    Raises:
        ValueError: if the arguments do not match each other or the data. A
            file that cannot be read raises it when it is needed, with its name
            ("tensorflow" raises `tf.errors.InvalidArgumentError`).

    Reference:
        He et al., Identity Mappings in Deep Residual Networks, 2016
        (https://arxiv.org/abs/1603.05027), section 5; "scale_aspect_ratio":
        Szegedy et al., Going Deeper with Convolutions, 2015
        (https://arxiv.org/abs/1409.4842).
    """
    check_count("batch_size", batch_size)
    if len(data) < batch_size:
        raise ValueError(
            f"The data has {len(data)} images, fewer than one batch of "
            f"{batch_size}. Use a batch_size of at most {len(data)}, or "
            f"more images."
        )
    for name, step in (("first_step", first_step), ("steps", steps)):
        check_number(name, step, COUNT_OR_ZERO, numbers.Integral)
    if first_step > steps:
        raise ValueError(
            "Expected first_step <= steps; received "
            f"first_step={first_step} and steps={steps}. steps is counted from "
            "step 0, not from first_step."
        )
    check_number("seed", seed, _SEED, numbers.Integral)
    check_number("rand_augment", rand_augment, MAGNITUDE, int)
    mixing = Mixing(mixup, cutmix)
    mixing.check_batch_size(batch_size)
    stream = TrainingStream(
        data=data,
        batch_size=batch_size,
        standardization=_fitting_standardization(
            standardization, data, image_size
        ),
        augmentation=_fitting_augmentation(augmentation, data),
        rand_augment=rand_augment,
        mixing=mixing,
        image_size=image_size,
        seed=seed,
        first_step=first_step,
        steps=steps,
        part=_fitting_part(part, batch_size, framework, bool(mixing)),
    )
    return _stream_module(framework, data).training(stream)


def evaluation_batches(
    data: ImageData | EncodedImages,
    *,
    batch_size: int,
    standardization: str | Standardization,
    image_size: int | None = None,
    resize: int | None = None,
    framework: str = "tensorflow",
    part: Part | None = None,
) -> "tf.data.Dataset | Iterator[tuple[np.ndarray]]":
    """Streams all images in order, for `keras.Model.predict`.

    Every batch is full: the last one is filled up with images from the
    beginning. Cut the predictions to `len(data)`.

    Args:
        data: the images.
        batch_size: images per batch.
        standardization: a `Standardization`, or a key of `STANDARDIZATIONS`.
        image_size: side in pixels of the centre crops of encoded images;
            `None` for `ImageData`, which already has a size.
        resize: length in pixels to which the shorter side of an encoded image
            is scaled before the crop; `None` means image_size * 256 / 224 (the
            paper uses 256 for 224, and 320 for 320).
        framework: "tensorflow", "numpy" or "device"; see `training_batches`.
        part: see `training_batches`.

    Returns:
        Batches `(images,)`, Keras's form of input without labels: float32
        (batch_size, height, width, 3).

    Raises:
        ValueError: if the arguments do not match each other or the data; see
            also `training_batches`.
    """
    check_count("batch_size", batch_size)
    stream = EvaluationStream(
        data=data,
        batch_size=batch_size,
        standardization=_fitting_standardization(
            standardization, data, image_size
        ),
        image_size=image_size,
        resize=_fitting_resize(resize, data, image_size),
        part=_fitting_part(part, batch_size, framework),
    )
    return _stream_module(framework, data).evaluation(stream)


def _fitting_standardization(
    standardization: str | Standardization,
    data: ImageData | EncodedImages,
    image_size: int | None,
) -> Standardization:
    standardization = get_standardization(standardization)
    standardization.check_shape(_image_shape(data, image_size))
    return standardization


def _image_shape(
    data: ImageData | EncodedImages, image_size: int | None
) -> tuple[int, int, int]:
    if isinstance(data, EncodedImages):
        if image_size is None:
            raise ValueError(
                "Encoded images need an image_size, the side in pixels of the "
                "squares cut from them, such as 224; received None."
            )
        check_count("image_size", image_size)
        return image_size, image_size, 3
    if image_size is not None:
        raise ValueError(
            f"Received image_size={image_size} for images in memory, which "
            f"already have the size {data.image_shape[:2]}. Pass image_size to "
            f"load_arrays instead."
        )
    return data.image_shape


def _fitting_augmentation(
    name: str, data: ImageData | EncodedImages
) -> Augmentation:
    check_choice("augmentation", name, AUGMENTATIONS)
    augmentation = AUGMENTATIONS[name]
    kind = "encoded" if isinstance(data, EncodedImages) else "in_memory"
    if not getattr(augmentation, kind):
        fit = [key for key, row in AUGMENTATIONS.items() if getattr(row, kind)]
        raise ValueError(
            f"The augmentation {name!r} cannot be used with "
            f"{type(data).__name__}. Use one of {sorted(fit)}, or load the "
            f"images with {_OPENED_BY_THE_OTHER[kind]}."
        )
    return augmentation


def _fitting_resize(
    resize: int | None, data: ImageData | EncodedImages, image_size: int | None
) -> int | None:
    if resize is None:
        return None
    if not isinstance(data, EncodedImages):
        raise ValueError(
            f"Received resize={resize} for images in memory, which already "
            f"have a size. resize is for images from open_images."
        )
    check_count("resize", resize)
    if resize < image_size:
        raise ValueError(
            f"resize, the length of the shorter side before the crop, must be "
            f"at least image_size={image_size}; received {resize}."
        )
    return resize


def check_divides(batch_size: int, replicas: int) -> None:
    """Checks that the replicas get equal parts of a batch.

    Raises:
        ValueError: if `batch_size` is not a multiple of `replicas`.
    """
    if batch_size % replicas:
        raise ValueError(
            f"batch_size={batch_size} cannot be divided equally among "
            f"replicas={replicas}. Choose a batch_size that is a multiple of "
            f"{replicas}."
        )


def _fitting_part(
    part: Part | None, batch_size: int, framework: str, in_pairs: bool = False
) -> Part | None:
    if part is None:
        return None
    if (
        not 0 <= part.process < part.processes <= part.replicas
        or part.replicas % part.processes
    ):
        raise ValueError(
            "process must be from 0 to processes - 1, and replicas a multiple "
            f"of processes; received {part}."
        )
    if framework != "tensorflow" and part.replicas != part.processes:
        raise ValueError(
            f"framework={framework!r} makes one element of a part; received "
            f"{part}. Use 'tensorflow', or as many replicas as processes."
        )
    check_divides(batch_size, part.replicas)
    if in_pairs and batch_size // part.replicas % 2:
        raise ValueError(
            "mixup and cutmix mix pairs of images, but batch_size="
            f"{batch_size} gives each of {part.replicas} replicas an odd "
            f"number. Choose a multiple of {2 * part.replicas}."
        )
    return part


def _stream_module(
    framework: str, data: ImageData | EncodedImages
) -> ModuleType:
    check_choice("framework", framework, FRAMEWORKS)
    if framework == "device" and isinstance(data, EncodedImages):
        raise ValueError(
            'framework="device" needs images in memory; received '
            f'{type(data).__name__}. Use "numpy" or "tensorflow".'
        )
    if framework == "tensorflow":
        check_installed("A tf.data pipeline")
    module = FRAMEWORKS[framework]
    return importlib.import_module(f"keras_resnetv2.data.{module}")
