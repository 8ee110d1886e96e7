"""All settings of a training. Keras is not imported, so --help is quick."""

import dataclasses
import json
import math
import os
import shlex
from typing import Any, Literal

from keras_resnetv2._checks import (
    COUNT,
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    PROPER_FRACTION,
    Number,
)
from keras_resnetv2._files import absolute_path
from keras_resnetv2._options import (
    check_options,
    choices_of,
    described,
    documented,
    option,
)
from keras_resnetv2._text import brief
from keras_resnetv2.data import AUGMENTATIONS, DATASETS
from keras_resnetv2.data.batches import check_divides
from keras_resnetv2.data.image_files import PIXEL_LIMIT
from keras_resnetv2.data.mixing import Mixing
from keras_resnetv2.data.rand_augment import MAGNITUDE
from keras_resnetv2.models import hub, published
from keras_resnetv2.models.configs import (
    MODELS,
    SIZE_FIELDS,
    RematName,
    ResNetConfig,
    find_config,
)
from keras_resnetv2.training.recipes import RECIPES, find_recipe

# The tests compare these with the tables that define the names.
RecipeName = Literal["paper", "torch", "imagenet", "modern", "modern_imagenet"]
ScheduleName = Literal["steps", "cosine"]
StandardizationName = Literal[
    "per_channel",
    "per_pixel_mean",
    "cifar10",
    "cifar100",
    "imagenet",
    "inception",
]
AugmentationName = Literal["crop_flip", "scale", "scale_aspect_ratio", "none"]
PrecisionName = Literal["float32", "mixed_bfloat16", "mixed_float16", "float64"]

# Settings of older versions lack some of these. The recipe has their values.
_FROM_RECIPE = (
    "schedule",
    "ema",
    "label_smoothing",
    "augmentation",
    "rand_augment",
    "mixup",
    "cutmix",
)


def _of_recipes(field):
    values = (f"{n} {getattr(row, field)}" for n, row in RECIPES.items())
    return f"the recipe's ({', '.join(values)})"


@documented
@dataclasses.dataclass(frozen=True)
class Experiment:
    """The settings of a training. None means the model's or recipe's default.

    Attributes:
        {attributes}

    Raises:
        ValueError: for an unknown name or a number out of range.
    """

    model: str = dataclasses.field(
        metadata=described(f"the network, one of {', '.join(MODELS)}")
    )
    dataset: str = dataclasses.field(
        metadata=described(
            "the images: cifar10, cifar100, cifar10_sample (bundled), fake, "
            "any name of TensorFlow Datasets, or a folder with one directory "
            "per class"
        )
    )
    options: dict[str, Any] = dataclasses.field(
        default_factory=dict,
        metadata=described(
            "ResNetConfig fields that replace the model's, by name"
        ),
    )
    image_size: int | None = option(
        None,
        "side of the input in pixels; an image's shorter side is scaled to it, "
        "and the centre is cut out",
        unset="the dataset's; if images are decoded as needed, the model's",
        number=COUNT,
    )
    pixel_limit: int = option(
        PIXEL_LIMIT,
        "largest number of pixels of an image file of a folder; a larger file "
        "is an error",
        number=COUNT,
    )
    held_out: float | None = option(
        None,
        "fraction of the training images, 0 < held_out < 1, to keep out of "
        "the training and to test on after every epoch; the test set is not "
        "read",
        unset="none",
        number=PROPER_FRACTION,
    )
    recipe: RecipeName = option(
        "paper",
        "the optimizer, its schedule, and other options' defaults",
    )
    epochs: int | None = option(
        None,
        "passes over the training images; the learning rate schedule is "
        "shortened or stretched in proportion",
        unset=_of_recipes("epochs"),
        number=COUNT,
    )
    batch_size: int | None = option(
        None,
        "images per step, over all replicas",
        unset=_of_recipes("batch_size"),
        number=COUNT,
    )
    learning_rate: float | None = option(
        None,
        "learning rate after the warm-up, before it falls",
        unset=_of_recipes("learning_rate")
        + ", imagenet's per 256 images of the batch",
        number=POSITIVE,
    )
    schedule: ScheduleName | None = option(
        None,
        "how the learning rate falls: in steps, by 10 at each, or along half a "
        "cosine to 0, after a linear warm-up",
        unset=_of_recipes("schedule"),
    )
    backbone_learning_rate: float | None = option(
        None,
        "learning rate of all layers except the classifier",
        unset="the learning rate",
        number=POSITIVE,
    )
    weight_decay: float | None = option(
        None,
        "coupled weight decay, on every trainable variable",
        unset=_of_recipes("weight_decay"),
        number=NOT_NEGATIVE,
    )
    ema: float | None = option(
        None,
        "momentum of the exponential moving average of the weights, which is "
        "tested, saved and exported, 0 <= ema < 1; 0 is off",
        unset=_of_recipes("ema"),
        number=FRACTION,
    )
    label_smoothing: float | None = option(
        None,
        "fraction of the target spread over all classes, 0 <= label_smoothing "
        "< 1; 0 is off",
        unset=_of_recipes("label_smoothing"),
        number=FRACTION,
    )
    initial_weights: str | None = option(
        None,
        "initial weights of all layers except the classifier: a work directory "
        "or a file of the same network, with any classes, or a folder that "
        "save_pretrained wrote, or hf://user/name, or cifar10 or imagenet for "
        "published weights (for a directory of that name write ./cifar10). The "
        "guide Weights lists the files of other projects",
        unset="random weights",
    )
    frozen_stages: int | None = option(
        None,
        "0 freezes the weights and statistics of the stem; k also those of "
        "stages 1 to k",
        unset="all are trained",
        number=NOT_NEGATIVE,
    )
    standardization: StandardizationName | None = option(
        None,
        "how pixels are standardized: per_channel and per_pixel_mean are "
        "measured on the training images, cifar10, cifar100, imagenet and "
        "inception (-1 to 1) are constants",
        unset="that of the initial weights, if they have one; else "
        + _of_recipes("standardization"),
    )
    augmentation: AugmentationName | None = option(
        None,
        "augmentation of the training images; crop_flip and none hold them in "
        "memory, scale and scale_aspect_ratio decode them when they are needed",
        unset=_of_recipes("augmentation"),
    )
    rand_augment: int | None = option(
        None,
        "magnitude of RandAugment, which changes shape, tone or colour of the "
        "images by random operations, up to 30; 0 is off",
        unset=_of_recipes("rand_augment"),
        number=MAGNITUDE,
    )
    mixup: float | None = option(
        None,
        "alpha of mixup, which adds pairs of images; 0 is off",
        unset=_of_recipes("mixup"),
        number=NOT_NEGATIVE,
    )
    cutmix: float | None = option(
        None,
        "alpha of CutMix, which puts a part of one image into another; 0 is "
        "off; if mixup is also on, each image gets one of the two at random",
        unset=_of_recipes("cutmix"),
        number=NOT_NEGATIVE,
    )
    precision: PrecisionName = option(
        "float32",
        "floating-point precision; in mixed precision, pooling and classifier "
        "are float32",
    )
    remat: RematName = option(
        "none",
        "what a step keeps for the backward pass: all activations, or the "
        "inputs of units or stages; it computes the rest again, which saves "
        "memory and takes time",
    )
    replicas: int | None = option(
        None,
        "number of GPUs, or of logical CPUs if there is no GPU",
        unset="all GPUs",
        number=COUNT,
    )
    seed: int = option(
        0,
        "seed of the weights, the order of the images and the augmentation",
        number=Number(lambda value: 0 <= value < 2**32, "from 0 to 2**32 - 1"),
    )
    deterministic: bool | None = option(
        None,
        "whether the training is repeatable to the bit; on GPUs it may be "
        "slower",
        unset="on CPUs, where it costs no speed",
    )

    __repr__ = brief

    def __post_init__(self):
        folder = os.path.expanduser(self.dataset)
        if self.dataset not in DATASETS and os.path.isdir(folder):
            # It must also be found from any other directory.
            object.__setattr__(self, "dataset", absolute_path(folder))
        source = self.initial_weights
        if published.is_tag(source):
            published.find(source, self.config())
        elif source is not None and not hub.is_address(source):
            object.__setattr__(self, "initial_weights", absolute_path(source))
        object.__setattr__(self, "options", with_tuples(self.options))
        recipe = find_recipe(self.recipe)
        for name in _FROM_RECIPE:
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(recipe, name))
        self.config()
        check_options(self)
        if self.frozen_stages is not None and self.initial_weights is None:
            raise ValueError(
                f"frozen_stages={self.frozen_stages} would freeze random "
                "weights. Give initial_weights, or omit frozen_stages."
            )
        check_divides(self.images_per_step, self.replicas or 1)
        self._mixing.check_batch_size(self.images_per_step)

    def config(self) -> ResNetConfig:
        """Returns the network's config, from model, recipe and options."""
        fields = {field.name for field in dataclasses.fields(ResNetConfig)}
        unknown = sorted(set(self.options) - fields)
        if unknown:
            raise ValueError(
                f"Unknown options: received {', '.join(unknown)}; expected "
                f"some of {', '.join(sorted(fields))}."
            )
        recipe = find_recipe(self.recipe)
        options = {
            "kernel_initializer": recipe.kernel_initializer,
            **self.options,
        }
        return dataclasses.replace(find_config(self.model), **options)

    @property
    def is_encoded(self) -> bool:
        """Whether images stay encoded, and are decoded as they are needed."""
        return not AUGMENTATIONS[self.augmentation].in_memory

    @property
    def data_name(self) -> str:
        """The dataset's name; for a folder, its name without the path."""
        return os.path.basename(os.path.normpath(self.dataset))

    @property
    def is_folder(self) -> bool:
        """Whether the dataset is a folder."""
        # Its path is absolute, so ./cifar10 differs from the dataset cifar10.
        return os.path.isabs(self.dataset) and os.path.isdir(self.dataset)

    @property
    def encoded_size(self) -> int | None:
        """Side of encoded images in pixels; None for images in memory."""
        if not self.is_encoded:
            return None
        return self.image_size or self.config().input_size

    @property
    def tested_on(self) -> str:
        """The images tested on after an epoch, "test" or "held-out"."""
        return "test" if self.held_out is None else "held-out"

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed."""
        return bool(self._mixing)

    @property
    def _mixing(self):
        return Mixing(self.mixup, self.cutmix)

    @property
    def images_per_step(self) -> int:
        """The batch size over all replicas."""
        return self.batch_size or find_recipe(self.recipe).batch_size

    def steps_per_epoch(self, images: int) -> int:
        """Returns the number of steps until every image has occurred."""
        return math.ceil(images / self.images_per_step)

    def total_steps(self, images: int) -> int:
        """Returns the length of a training on that many images, in steps."""
        return find_recipe(self.recipe).total_steps(
            images, self.images_per_step, self.epochs
        )


# Field -> the names that it accepts.
CHOICES = choices_of(Experiment)


def with_tuples(options: dict[str, Any]) -> dict[str, Any]:
    """Replaces lists, which JSON writes for tuples, by tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in options.items()
    }


def without_recipe(settings: dict[str, Any]) -> dict[str, Any]:
    """Removes the settings that an experiment has from its recipe.

    Args:
        settings: fields of an `Experiment`, by name.
    """
    recipe = find_recipe(settings.get("recipe", "paper"))
    return {
        name: value
        for name, value in settings.items()
        if name not in _FROM_RECIPE or value != getattr(recipe, name)
    }


def changed_settings(experiment: Experiment) -> dict:
    """Returns the settings that differ from the recipe's and other defaults.

    Args:
        experiment: the settings.

    Returns:
        A dict without model, dataset, options, recipe and seed.
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


def training_command(experiment: Experiment) -> str:
    """Returns a training's command line, without its work directory.

    Folders and files are given by their names, without the paths that they
    have on this machine.

    Args:
        experiment: the settings.
    """
    values = {
        "model": experiment.model,
        "dataset": experiment.dataset,
        "recipe": experiment.recipe,
        **changed_settings(experiment),
        "seed": experiment.seed,
    }
    for name in ("dataset", "initial_weights"):
        if os.path.isabs(values.get(name, "")):
            values[name] = os.path.basename(os.path.normpath(values[name]))
    options = experiment.options
    if not options.keys() & set(SIZE_FIELDS):
        flags = (
            f"--{key}={value}" for key, value in (values | options).items()
        )
        return shlex.join(["keras-resnetv2-train", *flags])
    # Sizes have no flags.
    settings = json.dumps({**values, "options": options})
    return (
        f"echo {shlex.quote(settings)} > settings.json && "
        "keras-resnetv2-train --config=settings.json"
    )
