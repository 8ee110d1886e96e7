"""All settings of a training, to and from JSON, and the network they build."""

import dataclasses
import math
import os

import keras

from keras_resnetv2._checks import check_choice
from keras_resnetv2.data import (
    AUGMENTATIONS,
    DATASETS,
    STANDARDIZATION_KINDS,
    Standardization,
)
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.configs import ResNetConfig, find_config
from keras_resnetv2.training import recipes
from keras_resnetv2.training.strategy import PRECISIONS, check_divides


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a user asks for; None stands for the model's or recipe's default.

    Attributes:
        model: a name in `MODELS`.
        dataset: a name that `load_arrays` takes.
        options: `ResNetConfig` fields that replace the model's, by name.
        image_size: images are resized to it, in pixels.
        recipe: a name in `RECIPES`.
        epochs: passes over the training images; the learning rate's schedule
            is shortened or stretched in proportion.
        batch_size: images a step, over all replicas.
        learning_rate: before the first drop.
        weight_decay: coupled.
        standardization: "per_channel" or "per_pixel_mean".
        augmentation: "crop_flip" or "none".
        precision: a name in `PRECISIONS`.
        replicas: number of devices; None for all GPUs.
        seed: of the weights, the data's order and the augmentation.
        deterministic: whether two runs shall agree to the bit. None: on CPUs,
            where it costs nothing. On GPUs it may cost speed.

    Raises:
        ValueError: for an unknown name or a number out of range.
    """

    model: str
    dataset: str
    options: dict = dataclasses.field(default_factory=dict)
    image_size: int | None = None
    recipe: str = "paper"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    standardization: str = "per_channel"
    augmentation: str = "crop_flip"
    precision: str = "float32"
    replicas: int | None = None
    seed: int = 0
    deterministic: bool | None = None

    def __post_init__(self):
        if self.dataset not in DATASETS and os.path.isdir(self.dataset):
            # A folder must be found from any other directory, too.
            object.__setattr__(self, "dataset", os.path.abspath(self.dataset))
        self.config()
        for field, table in _CHOICES.items():
            check_choice(field, getattr(self, field), table)
        for field, (kinds, fits, expected) in _NUMBERS.items():
            value = getattr(self, field)
            if value is not None and not (
                isinstance(value, kinds) and fits(value)
            ):
                raise ValueError(
                    f"{field} must be {expected}; received {value!r}."
                )
        check_divides(self.images_per_step, self.replicas or 1)

    def config(self) -> ResNetConfig:
        """The network's config: the model's, the recipe's, the options."""
        fields = {field.name for field in dataclasses.fields(ResNetConfig)}
        unknown = sorted(set(self.options) - fields)
        if unknown:
            raise ValueError(
                f"Unknown options: received {', '.join(unknown)}; expected "
                f"some of {', '.join(sorted(fields))}."
            )
        recipe = recipes.find_recipe(self.recipe)
        options = {
            "kernel_initializer": recipe.kernel_initializer,
            **self.options,
        }
        return dataclasses.replace(find_config(self.model), **options)

    @property
    def images_per_step(self) -> int:
        """The batch size over all replicas."""
        return self.batch_size or recipes.find_recipe(self.recipe).batch_size

    def total_steps(self, images: int) -> int:
        """Length of the training on that many images."""
        return recipes.find_recipe(self.recipe).total_steps(
            images, self.images_per_step, self.epochs
        )


_CHOICES = {
    "standardization": STANDARDIZATION_KINDS,
    "augmentation": AUGMENTATIONS,
    "precision": PRECISIONS,
}
_COUNT = (int, lambda value: value >= 1, "a whole number, at least 1")
_NUMBERS = {
    "epochs": _COUNT,
    "batch_size": _COUNT,
    "image_size": _COUNT,
    "replicas": _COUNT,
    "learning_rate": (
        (int, float),
        lambda value: 0 < value < math.inf,
        "a number larger than 0",
    ),
    "weight_decay": (
        (int, float),
        lambda value: 0 <= value < math.inf,
        "a number, at least 0",
    ),
    "seed": (int, lambda value: 0 <= value < 2**32, "from 0 to 2**32 - 1"),
}


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a network has to know of the data it was trained on.

    Attributes:
        class_names: in the order of the labels.
        image_shape: (H, W, C).
        standardization: taken over the training images.
        images: number of training images.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    standardization: Standardization
    images: int

    @classmethod
    def of(cls, data, standardization: str) -> "DataFacts":
        """Gathers the facts of training images.

        Args:
            data: an `ImageData`.
            standardization: "per_channel" or "per_pixel_mean".
        """
        return cls(
            class_names=tuple(data.class_names),
            image_shape=tuple(data.image_shape),
            standardization=Standardization.from_images(
                data.images, standardization
            ),
            images=len(data),
        )

    def to_json(self) -> dict:
        """As plain lists, numbers and strings."""
        return {
            "class_names": list(self.class_names),
            "image_shape": list(self.image_shape),
            "images": self.images,
            "standardization": self.standardization.to_json(),
        }

    @classmethod
    def from_json(cls, values: dict) -> "DataFacts":
        """The inverse of `to_json`."""
        return cls(
            class_names=tuple(values["class_names"]),
            image_shape=tuple(values["image_shape"]),
            images=values["images"],
            standardization=Standardization.from_json(
                values["standardization"]
            ),
        )


def build_model(experiment: Experiment, facts: DataFacts) -> keras.Model:
    """Builds the experiment's network with random weights.

    Args:
        experiment: the settings.
        facts: of the training data.

    Returns:
        A `keras.Model` from standardised images (batch, H, W, C) to logits
        (batch, classes).
    """
    return ResNetV2(
        experiment.config(),
        input_shape=facts.image_shape,
        classes=len(facts.class_names),
        classifier_activation=None,
        name=experiment.model.lower(),
    )
