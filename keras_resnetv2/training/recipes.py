"""The paper's training recipes by name, and their pieces for notebooks."""

import dataclasses
import math

import keras

from keras_resnetv2._checks import check_positive
from keras_resnetv2.models.builder import gives_logits
from keras_resnetv2.training.losses import crossentropy
from keras_resnetv2.training.optimizers import SGD

HEAD = "predictions"  # the classifier's name, as in ResNetV2


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
        linear_scaling: whether another batch size scales the learning rate in
            proportion (Goyal et al., 2017).
        augmentation: of the training images, a name in `data.AUGMENTATIONS`.
        standardization: of all images, a name that an `Experiment` takes.
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
    linear_scaling: bool = False
    augmentation: str = "crop_flip"
    standardization: str = "per_channel"

    def rate(
        self,
        learning_rate: float | None = None,
        batch_size: int | None = None,
    ) -> float:
        """The learning rate before the first drop.

        Reference: Goyal et al., "Accurate, Large Minibatch SGD", 2017.

        Args:
            learning_rate: replaces the recipe's, and is not scaled.
            batch_size: images a step, over all replicas; it scales the
                recipe's rate where the recipe has linear scaling.
        """
        if learning_rate is not None:
            return learning_rate
        if not self.linear_scaling or batch_size is None:
            return self.learning_rate
        return self.learning_rate * batch_size / self.batch_size

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
    recipe: str | Recipe,
    total_steps: int,
    learning_rate: float | None = None,
    batch_size: int | None = None,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The recipe's learning rate, stretched or shortened to `total_steps`.

    Reference: He et al., 2016, section 5 and appendix.

    Args:
        recipe: "paper", "torch", "imagenet" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.
        batch_size: images a step, over all replicas; scales the learning rate
            of a recipe with linear scaling ("imagenet"). Defaults to the
            recipe's.

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
    rate = recipe.rate(learning_rate, batch_size)
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
    batch_size: int | None = None,
    learning_rate_factors: dict[str, float] | None = None,
) -> SGD:
    """The recipe's optimizer with its schedule.

    Args:
        recipe: "paper", "torch", "imagenet" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.
        weight_decay: replaces the recipe's.
        batch_size: images a step, over all replicas; scales the learning rate
            of a recipe with linear scaling ("imagenet"). Defaults to the
            recipe's.
        learning_rate_factors: by layer, see `SGD`.

    Returns:
        An `SGD`.
    """
    recipe = find_recipe(recipe)
    return SGD(
        schedule(recipe, total_steps, learning_rate, batch_size),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        momentum_form=recipe.momentum_form,
        weight_decay=(
            recipe.weight_decay if weight_decay is None else weight_decay
        ),
        learning_rate_factors=learning_rate_factors,
    )


def schedule_of(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The schedule that an optimizer of ours follows.

    Args:
        optimizer: as `optimizer` makes it, or inside Keras's loss scaling.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return keras.optimizers.schedules.deserialize(
        optimizer.get_config()["learning_rate"]
    )


def compile(
    model: keras.Model,
    recipe: str | Recipe = "paper",
    *,
    total_steps: int,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    batch_size: int | None = None,
    backbone_learning_rate: float | None = None,
    label_smoothing: float = 0.0,
    **kwargs,
) -> None:
    """Compiles a classifier for `fit` on integer labels.

    Args:
        model: one of ours with its top, giving probabilities (softmax) or
            logits (no activation); the loss is chosen accordingly.
        recipe: "paper", "torch", "imagenet" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's.
        weight_decay: replaces the recipe's.
        batch_size: images a step, over all replicas; scales the learning rate
            of a recipe with linear scaling ("imagenet"). Defaults to the
            recipe's.
        backbone_learning_rate: before the first drop, of everything but the
            layer "predictions", for fine-tuning; the schedule's drops are
            those of both. Defaults to the learning rate.
        label_smoothing: fraction of the target spread evenly over all
            classes, 0 <= label_smoothing < 1. Defaults to 0, off.
        **kwargs: as for `keras.Model.compile` (`jit_compile`, say).

    Raises:
        ValueError: if the model gives neither probabilities nor logits, for a
            number out of range, or for a backbone's learning rate where there
            is no layer "predictions".

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20()
        >>> keras_resnetv2.training.compile(model, "paper", total_steps=1000)
        >>> model.optimizer.momentum
        0.9
    """
    factors = None
    if backbone_learning_rate is not None:
        rate = find_recipe(recipe).rate(learning_rate, batch_size)
        factors = _backbone_factors(model, backbone_learning_rate, rate)
    model.compile(
        optimizer=optimizer(
            recipe,
            total_steps,
            learning_rate,
            weight_decay,
            batch_size,
            factors,
        ),
        loss=crossentropy(label_smoothing, from_logits=gives_logits(model)),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        **kwargs,
    )


def _backbone_factors(model, backbone_rate, rate):
    check_positive("backbone_learning_rate", backbone_rate)
    if not any(layer.name == HEAD for layer in model.layers):
        raise ValueError(
            f"backbone_learning_rate is that of all layers but {HEAD!r}, and "
            f"{model.name} has no such layer. Give its classifier that name, "
            "or leave backbone_learning_rate out."
        )
    return {"": backbone_rate / rate, HEAD: 1.0}
