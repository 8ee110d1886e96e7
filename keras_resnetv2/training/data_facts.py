"""What a network must know about its training data."""

import dataclasses

from keras_resnetv2._text import brief
from keras_resnetv2.data import (
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    EncodedImages,
    ImageData,
    Standardization,
)
from keras_resnetv2.data.image_folder import RULE


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a network must know about its training data.

    Attributes:
        class_names: names in the order of the labels.
        image_shape: (H, W, C).
        standardization: measured on the training images, without the held-out
            ones.
        images: number of training images, without the held-out ones.
        folder_rule: how a folder's files are listed and turned, see
            `load_arrays`.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    standardization: Standardization
    images: int
    folder_rule: int = RULE

    __repr__ = brief

    @classmethod
    def of(
        cls,
        data: ImageData | EncodedImages,
        standardization: str | Standardization,
        encoded_size: int | None = None,
        folder_rule: int = RULE,
    ) -> "DataFacts":
        """Gathers the facts of training images.

        Args:
            data: the images.
            standardization: a name that `Experiment` takes, or a
                `Standardization`.
            encoded_size: side of encoded images, in pixels.
            folder_rule: the rule by which they were loaded.

        Raises:
            ValueError: if the standardization is measured on the images and
                they are encoded.
        """
        if standardization in STANDARDIZATION_KINDS:
            if not isinstance(data, ImageData):
                raise ValueError(
                    f"standardization={standardization!r} is measured on "
                    "images in memory, but these are decoded when they are "
                    "needed. Choose one of "
                    f"{', '.join(map(repr, STANDARDIZATIONS))}."
                )
            standardization = Standardization.from_images(
                data.images, standardization
            )
        elif isinstance(standardization, str):
            standardization = STANDARDIZATIONS[standardization]
        return cls(
            class_names=tuple(data.class_names),
            image_shape=shape_of(data, encoded_size),
            standardization=standardization,
            images=len(data),
            folder_rule=folder_rule,
        )

    def to_json(self) -> dict:
        """Returns the facts as values that JSON can hold."""
        return {**vars(self), "standardization": self.standardization.to_json()}

    @classmethod
    def from_json(cls, values: dict) -> "DataFacts":
        """The inverse of `to_json`."""
        return cls(
            class_names=tuple(values["class_names"]),
            image_shape=tuple(values["image_shape"]),
            images=values["images"],
            folder_rule=values.get("folder_rule", 1),  # the only one of 0.1.0
            standardization=Standardization.from_json(
                values["standardization"]
            ),
        )


def shape_of(
    data: ImageData | EncodedImages, encoded_size: int | None
) -> tuple[int, int, int]:
    """Returns the shape (H, W, C) of a network's input images.

    Args:
        data: the images.
        encoded_size: side of encoded images, in pixels.
    """
    if isinstance(data, ImageData):
        return tuple(data.image_shape)
    return (encoded_size, encoded_size, 3)
