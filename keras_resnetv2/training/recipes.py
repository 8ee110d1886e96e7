"""The paper's training recipes by name, and their pieces for notebooks."""

import dataclasses
import math

import keras

from keras_resnetv2.models.builder import gives_logits
from keras_resnetv2.training.optimizers import SGD


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained; times are fractions of the whole training.

    Attributes:
        epochs: default length, in passes over the training images.
        batch_size: default number of images a step, over all replicas.
        learning_rate: after the warm-up and before the first drop.
        warmup: fraction of the steps at a tenth of the learning rate.
        drops: fractions at which the learning rate is divided by 10.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        momentum_form: "caffe" or "torch", see `SGD`.
        weight_decay: coupled, on every trainable variable.
        kernel_initializer: a `ResNetConfig.kernel_initializer`.
    """

    epochs: float
    batch_size: int = 128
    learning_rate: float = 0.1
    warmup: float = 0.0
    drops: tuple[float, ...] = ()
    momentum: float = 0.9
    nesterov: bool = False
    momentum_form: str = "caffe"
    weight_decay: float = 1e-4
    kernel_initializer: str = "he_normal"

    def total_steps(
        self, images: int, batch_size: int | None = None, epochs=None
    ) -> int:
        """Number of steps, rounded to the nearest.

        Args:
            images: number of training images.
            batch_size: images a step; defaults to the recipe's.
            epochs: passes over the images; defaults to the recipe's.

        Returns:
            At least 1. Given `epochs`, whole epochs of `ceil(images /
            batch_size)` steps each.
        """
        batch_size = batch_size or self.batch_size
        if epochs is not None:
            return epochs * math.ceil(images / batch_size)
        return max(1, round(self.epochs * images / batch_size))


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
}


def find_recipe(recipe: str | Recipe) -> Recipe:
    """Looks a recipe up by name; a `Recipe` is returned as it is.

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


def schedule(
    recipe: str | Recipe, total_steps: int, learning_rate: float | None = None
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The recipe's learning rate, stretched or shortened to `total_steps`.

    Reference: He et al., 2016, section 5 and appendix.

    Args:
        recipe: "paper", "torch" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.

    Returns:
        A Keras schedule, step (from 0) to learning rate.

    Example:
        >>> from keras_resnetv2 import training
        >>> rate = training.schedule("paper", total_steps=64_000)
        >>> [round(float(rate(s)), 4) for s in (399, 400, 31_999, 32_000)]
        [0.01, 0.1, 0.1, 0.01]
    """
    recipe = find_recipe(recipe)
    if total_steps < 1:
        raise ValueError(
            f"total_steps must be at least 1; received {total_steps}."
        )
    rate = recipe.learning_rate if learning_rate is None else learning_rate
    starts = [(0, rate)]
    warmup = round(recipe.warmup * total_steps)
    if warmup:
        starts = [(0, rate / 10), (warmup, rate)]
    for i, drop in enumerate(recipe.drops, 1):
        starts.append((round(drop * total_steps), rate / 10**i))
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras keeps a value up to and including its boundary.
        boundaries=[step - 1 for step, _ in starts[1:]],
        values=[value for _, value in starts],
    )


def optimizer(
    recipe: str | Recipe,
    total_steps: int,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
) -> SGD:
    """The recipe's optimizer with its schedule.

    Args:
        recipe: "paper", "torch" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.
        weight_decay: replaces the recipe's.

    Returns:
        An `SGD`.
    """
    recipe = find_recipe(recipe)
    return SGD(
        schedule(recipe, total_steps, learning_rate),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        momentum_form=recipe.momentum_form,
        weight_decay=(
            recipe.weight_decay if weight_decay is None else weight_decay
        ),
    )


def compile(
    model: keras.Model,
    recipe: str | Recipe = "paper",
    *,
    total_steps: int,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    **kwargs,
) -> None:
    """Compiles a classifier for `fit` on integer labels.

    Args:
        model: one of ours with its top, giving probabilities (softmax) or
            logits (no activation); the loss is chosen accordingly.
        recipe: "paper", "torch" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.
        weight_decay: replaces the recipe's.
        **kwargs: as for `keras.Model.compile` (`jit_compile`, say).

    Raises:
        ValueError: if the model gives neither probabilities nor logits.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20()
        >>> keras_resnetv2.training.compile(model, "paper", total_steps=1000)
        >>> model.optimizer.momentum
        0.9
    """
    model.compile(
        optimizer=optimizer(recipe, total_steps, learning_rate, weight_decay),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=gives_logits(model)
        ),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        **kwargs,
    )
