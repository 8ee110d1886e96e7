"""The training recipes as data: the paper's, and one of today."""

import dataclasses
import math

from keras_resnetv2._text import brief


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained. Times are fractions of the whole training.

    Attributes:
        epochs: default length, in passes over the training images.
        batch_size: default number of images per step, over all replicas.
        learning_rate: learning rate after warm-up, and before it falls.
        schedule: "steps" or "cosine", see `schedule`.
        warmup: fraction of the steps that are warm-up.
        drops: fractions at which "steps" divides the learning rate by 10.
        momentum: momentum of SGD.
        nesterov: whether to use Nesterov momentum.
        momentum_form: "caffe" or "torch", see `SGD`.
        weight_decay: coupled weight decay, on every trainable variable.
        ema: momentum of the average of the weights; 0 is off.
        label_smoothing: fraction of the target spread over all classes.
        kernel_initializer: a `ResNetConfig.kernel_initializer`.
        linear_scaling: whether the learning rate is scaled in proportion to
            the batch size (Goyal et al., 2017).
        augmentation: a name in `data.AUGMENTATIONS`, for the training images.
        rand_augment: magnitude of RandAugment, up to 30; 0 is off.
        mixup: alpha of mixup; 0 is off.
        cutmix: alpha of CutMix; 0 is off.
        standardization: a name that `Experiment` takes, for all images.
    """

    epochs: float
    batch_size: int = 128
    learning_rate: float = 0.1
    schedule: str = "steps"
    warmup: float = 0.0
    drops: tuple[float, ...] = ()
    momentum: float = 0.9
    nesterov: bool = False
    momentum_form: str = "caffe"
    weight_decay: float = 1e-4
    ema: float = 0.0
    label_smoothing: float = 0.0
    kernel_initializer: str = "he_normal"
    linear_scaling: bool = False
    augmentation: str = "crop_flip"
    rand_augment: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    standardization: str = "per_channel"

    __repr__ = brief

    def rate(
        self,
        learning_rate: float | None = None,
        batch_size: int | None = None,
    ) -> float:
        """Returns the highest learning rate.

        Reference: Goyal et al., "Accurate, Large Minibatch SGD", 2017.

        Args:
            learning_rate: replaces the recipe's, and is not scaled.
            batch_size: images per step, over all replicas. It scales the rate
                of a recipe with linear scaling.
        """
        if learning_rate is not None:
            return learning_rate
        if not self.linear_scaling or batch_size is None:
            return self.learning_rate
        return self.learning_rate * batch_size / self.batch_size

    def total_steps(
        self, images: int, batch_size: int | None = None, epochs=None
    ) -> int:
        """Returns the number of steps of a training.

        Args:
            images: number of training images.
            batch_size: images per step; defaults to the recipe's.
            epochs: passes over the images; defaults to the recipe's.

        Returns:
            The rounded number, at least 1. With `epochs`, each epoch has
            `ceil(images / batch_size)` steps.
        """
        batch_size = batch_size or self.batch_size
        if epochs is not None:
            return epochs * math.ceil(images / batch_size)
        return max(1, round(self.epochs * images / batch_size))


# What recipes of today have beside the paper's, for any network and data.
_MODERN = {
    "schedule": "cosine",
    "warmup": 5 / 164,
    "ema": 0.999,
    "label_smoothing": 0.1,
    "rand_augment": 9,
    "mixup": 0.2,
    "cutmix": 1.0,
}
RECIPES = {
    # Section 5 and appendix: 64k steps of 128 of CIFAR's 50,000 images.
    "paper": Recipe(
        epochs=64_000 * 128 / 50_000,
        warmup=400 / 64_000,
        drops=(32_000 / 64_000, 48_000 / 64_000),
    ),
    # The authors' released code, on fb.resnet.torch.
    "torch": Recipe(
        epochs=200,
        drops=(81 / 200, 122 / 200),
        nesterov=True,
        momentum_form="torch",
        kernel_initializer="he_normal_fan_out",
    ),
    # Section 5, on ImageNet.
    "imagenet": Recipe(
        epochs=90,
        batch_size=256,
        drops=(30 / 90, 60 / 90),
        linear_scaling=True,
        augmentation="scale",
        standardization="imagenet",
    ),
}
RECIPES |= {
    "modern": dataclasses.replace(RECIPES["paper"], **_MODERN),
    "modern_imagenet": dataclasses.replace(
        RECIPES["imagenet"], augmentation="scale_aspect_ratio", **_MODERN
    ),
}


def find_recipe(recipe: str | Recipe) -> Recipe:
    """Looks up a recipe by name; a `Recipe` is returned unchanged.

    Raises:
        ValueError: for an unknown name; lists the known ones.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(
            f"Unknown recipe: received {recipe!r}; expected one of "
            f"{', '.join(map(repr, RECIPES))}, or a Recipe."
        )
    return RECIPES[recipe]
