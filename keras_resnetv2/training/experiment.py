"""All settings of a training, to and from JSON, and the network they build."""

import dataclasses
import math
import os

import keras

from keras_resnetv2._checks import check_choice, check_fraction
from keras_resnetv2.data import (
    AUGMENTATIONS,
    DATASETS,
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    EncodedImages,
    ImageData,
    Standardization,
)
from keras_resnetv2.models import published
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
        image_size: images are resized, or cut, to it, in pixels. Defaults to
            that of the data set; where images are decoded as needed, to the
            model's.
        held_out: fraction of the training images, 0 < held_out < 1, that is
            not trained on and is tested on after every epoch in place of the
            test set, which is not read; see `data.hold_out`. None: none.
        recipe: a name in `RECIPES`.
        epochs: passes over the training images; the learning rate's schedule
            is shortened or stretched in proportion.
        batch_size: images a step, over all replicas.
        learning_rate: before the first drop.
        backbone_learning_rate: likewise, of all layers but the classifier.
        weight_decay: coupled.
        label_smoothing: 0 <= label_smoothing < 1.
        initial_weights: a work directory, or a `.weights.h5` file, of the same
            network with any classes, or "cifar10" (published weights; a
            directory of that name is "./cifar10"): all layers but the
            classifier begin with its weights.
        frozen_stages: see `freeze`.
        standardization: "per_channel" or "per_pixel_mean", measured on the
            training images, or a name in `STANDARDIZATIONS`. Defaults to that
            of the published or the work directory's `initial_weights`, or else
            the recipe's.
        augmentation: a name in `AUGMENTATIONS`. It decides whether images are
            held in memory ("crop_flip", "none") or decoded as they are needed
            ("scale", "scale_aspect_ratio"). Defaults to the recipe's.
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
    held_out: float | None = None
    recipe: str = "paper"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    backbone_learning_rate: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    initial_weights: str | None = None
    frozen_stages: int | None = None
    standardization: str | None = None
    augmentation: str | None = None
    precision: str = "float32"
    replicas: int | None = None
    seed: int = 0
    deterministic: bool | None = None

    def __post_init__(self):
        if self.dataset not in DATASETS and os.path.isdir(self.dataset):
            # A folder must be found from any other directory, too.
            object.__setattr__(self, "dataset", os.path.abspath(self.dataset))
        if published.is_tag(self.initial_weights):
            published.find(self.initial_weights, self.config())
        elif self.initial_weights is not None:
            path = os.path.abspath(self.initial_weights)
            object.__setattr__(self, "initial_weights", path)
        options = {  # JSON knows no tuples, and settings are compared
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.options.items()
        }
        object.__setattr__(self, "options", options)
        recipe = recipes.find_recipe(self.recipe)
        if self.augmentation is None:
            object.__setattr__(self, "augmentation", recipe.augmentation)
        self.config()
        for field, table in _CHOICES.items():
            if getattr(self, field) is not None:
                check_choice(field, getattr(self, field), table)
        check_fraction("label_smoothing", self.label_smoothing, "spread out")
        for field, (kinds, fits, expected) in _NUMBERS.items():
            value = getattr(self, field)
            if value is not None and not (
                isinstance(value, kinds) and fits(value)
            ):
                raise ValueError(
                    f"{field} must be {expected}; received {value!r}."
                )
        if self.frozen_stages is not None and self.initial_weights is None:
            raise ValueError(
                f"frozen_stages={self.frozen_stages} would freeze random "
                "weights. Give initial_weights, or leave it out."
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
    def streams(self) -> bool:
        """Whether images are decoded as they are needed."""
        return not AUGMENTATIONS[self.augmentation].in_memory

    @property
    def stream_size(self) -> int | None:
        """The side of such images, in pixels; None where they do not stream."""
        if not self.streams:
            return None
        return self.image_size or self.config().input_size

    @property
    def tested_on(self) -> str:
        """Which images are tested on after an epoch: "test" or "held-out"."""
        return "test" if self.held_out is None else "held-out"

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
    "standardization": (*STANDARDIZATION_KINDS, *STANDARDIZATIONS),
    "augmentation": AUGMENTATIONS,
    "precision": PRECISIONS,
}
_COUNT = (int, lambda value: value >= 1, "a whole number, at least 1")
_RATE = (
    (int, float),
    lambda value: 0 < value < math.inf,
    "a number larger than 0",
)
_NUMBERS = {
    "epochs": _COUNT,
    "batch_size": _COUNT,
    "image_size": _COUNT,
    "replicas": _COUNT,
    "held_out": (
        float,
        lambda value: 0 < value < 1,
        "a fraction, 0 < held_out < 1",
    ),
    "frozen_stages": (int, lambda value: value >= 0, "0 or more"),
    "learning_rate": _RATE,
    "backbone_learning_rate": _RATE,
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
        standardization: taken over the training images, without those held
            out.
        images: number of the same.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    standardization: Standardization
    images: int

    @classmethod
    def of(
        cls,
        data: ImageData | EncodedImages,
        standardization: str | Standardization,
        stream_size: int | None = None,
    ) -> "DataFacts":
        """Gathers the facts of training images.

        Args:
            data: the images.
            standardization: a name that `Experiment` takes, or a ready one.
            stream_size: side of encoded images, in pixels.

        Raises:
            ValueError: if encoded images would have to be measured.
        """
        if standardization in STANDARDIZATION_KINDS:
            if not isinstance(data, ImageData):
                raise ValueError(
                    f"standardization={standardization!r} is measured on "
                    "images in memory, and these are decoded as they are "
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
            image_shape=shape_of(data, stream_size),
            standardization=standardization,
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


def shape_of(
    data: ImageData | EncodedImages, stream_size: int | None
) -> tuple[int, int, int]:
    """The shape (H, W, C) in which images reach a network.

    Args:
        data: the images.
        stream_size: side of encoded images, in pixels.
    """
    if isinstance(data, ImageData):
        return tuple(data.image_shape)
    return (stream_size, stream_size, 3)


def compile_model(
    model: keras.Model, experiment: Experiment, total_steps: int
) -> None:
    """Compiles a network for the experiment's training.

    Args:
        model: what `build_model` made.
        experiment: the settings.
        total_steps: length of the training in steps.
    """
    recipes.compile(
        model,
        experiment.recipe,
        total_steps=total_steps,
        learning_rate=experiment.learning_rate,
        backbone_learning_rate=experiment.backbone_learning_rate,
        weight_decay=experiment.weight_decay,
        batch_size=experiment.batch_size,
        label_smoothing=experiment.label_smoothing,
    )


def changed_settings(experiment: Experiment) -> dict:
    """The settings that are neither the default nor what its recipe gives.

    Args:
        experiment: the settings.

    Returns:
        By name, without model, dataset, options, recipe and seed.
    """
    default = Experiment(
        experiment.model,
        experiment.dataset,
        experiment.options,
        recipe=experiment.recipe,
        seed=experiment.seed,
    )
    return {
        field.name: getattr(experiment, field.name)
        for field in dataclasses.fields(experiment)
        if getattr(experiment, field.name) != getattr(default, field.name)
    }


def network_config(experiment: Experiment, facts: DataFacts) -> ResNetConfig:
    """The config of what is built: the experiment's, with the data's classes.

    Args:
        experiment: the settings.
        facts: of the training data.
    """
    return dataclasses.replace(
        experiment.config(), classes=len(facts.class_names)
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
        network_config(experiment, facts),
        input_shape=facts.image_shape,
        classifier_activation=None,
        name=experiment.model.lower(),
    )
