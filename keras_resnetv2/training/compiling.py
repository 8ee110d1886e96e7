"""Makes a recipe's schedule and optimizer, and compiles networks with them."""

import keras

from keras_resnetv2._checks import (
    FRACTION,
    check_choice,
    check_count,
    check_learning_rate,
    check_number,
)
from keras_resnetv2.models.classifier import gives_logits
from keras_resnetv2.models.layer_names import CLASSIFIER
from keras_resnetv2.models.network import unscaled
from keras_resnetv2.training.losses import crossentropy
from keras_resnetv2.training.optimizers import SGD
from keras_resnetv2.training.recipes import Recipe, find_recipe


def schedule(
    recipe: str | Recipe,
    total_steps: int,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    schedule_kind: str | None = None,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the recipe's learning rate schedule for `total_steps` steps.

    "steps" begins with a tenth of the learning rate for the warm-up, and
    divides it by 10 at each of the recipe's drops. "cosine" rises linearly
    during the warm-up, and then falls to 0 along half a cosine.

    Reference: "steps": He et al., 2016, section 5 and appendix. "cosine":
    Loshchilov and Hutter, "SGDR", 2017, without restarts; its warm-up is that
    of Goyal et al., "Accurate, Large Minibatch SGD", 2017.

    Args:
        recipe: a name in `RECIPES` or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's learning rate.
        batch_size: images per step, over all replicas. It scales the learning
            rate of a recipe with linear scaling ("imagenet"). Defaults to the
            recipe's.
        schedule_kind: "steps" or "cosine". Defaults to the recipe's.

    Returns:
        A Keras schedule that maps the step (from 0) to the learning rate.

    Example:
        >>> from keras_resnetv2 import training
        >>> rate = training.schedule("paper", total_steps=64_000)
        >>> [round(float(rate(s)), 4) for s in (399, 400, 31_999, 32_000)]
        [0.01, 0.1, 0.1, 0.01]
    """
    recipe = find_recipe(recipe)
    check_count("total_steps", total_steps)
    kind = recipe.schedule if schedule_kind is None else schedule_kind
    check_choice("schedule", kind, SCHEDULES)
    rate = recipe.rate(learning_rate, batch_size)
    warmup = round(recipe.warmup * total_steps)
    return SCHEDULES[kind](recipe, rate, warmup, total_steps)


def _steps(recipe, rate, warmup, total_steps):
    starts = [(0, rate)]
    if warmup:
        starts = [(0, rate / 10), (warmup, rate)]
    for i, drop in enumerate(recipe.drops, 1):
        starts.append((round(drop * total_steps), rate / 10**i))
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras keeps a value up to and including its boundary.
        boundaries=[step - 1 for step, _ in starts[1:]],
        values=[value for _, value in starts],
    )


def _cosine(recipe, rate, warmup, total_steps):
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, total_steps)
    return keras.optimizers.schedules.CosineDecay(
        # From 0, the first step would change nothing.
        rate / (warmup + 1),
        max(1, total_steps - warmup),
        warmup_target=rate,
        warmup_steps=warmup,
    )


# Each makes a schedule of a recipe, its rate, and its steps.
SCHEDULES = {"steps": _steps, "cosine": _cosine}


def optimizer(
    recipe: str | Recipe,
    total_steps: int,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    batch_size: int | None = None,
    learning_rate_factors: dict[str, float] | None = None,
    schedule_kind: str | None = None,
    ema: float | None = None,
) -> SGD:
    """Makes the recipe's optimizer with its schedule.

    Args:
        recipe: see `schedule`.
        total_steps: see `schedule`.
        learning_rate: see `schedule`.
        weight_decay: replaces the recipe's weight decay.
        batch_size: see `schedule`.
        learning_rate_factors: factors by layer, see `SGD`.
        schedule_kind: see `schedule`.
        ema: momentum of the exponential moving average of the weights, by
            Keras's `use_ema`; `fit` puts the average into the network at its
            end. 0 is off. Defaults to the recipe's.

    Returns:
        An `SGD`.
    """
    recipe = find_recipe(recipe)
    ema = recipe.ema if ema is None else ema
    check_number("ema", ema, FRACTION)
    average = {"use_ema": True, "ema_momentum": ema} if ema else {}
    return SGD(
        schedule(recipe, total_steps, learning_rate, batch_size, schedule_kind),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        momentum_form=recipe.momentum_form,
        weight_decay=(
            recipe.weight_decay if weight_decay is None else weight_decay
        ),
        learning_rate_factors=learning_rate_factors,
        **average,
    )


def schedule_of(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the schedule of an optimizer.

    Args:
        optimizer: made by `optimizer`; Keras's loss scaling may wrap it.
    """
    return keras.optimizers.schedules.deserialize(
        unscaled(optimizer).get_config()["learning_rate"]
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
    label_smoothing: float | None = None,
    schedule_kind: str | None = None,
    ema: float | None = None,
    mixed_labels: bool = False,
    **kwargs,
) -> None:
    """Compiles a classifier for `fit`.

    It takes the recipe's optimizer, schedule and loss. Augmentation and mixing
    are up to the batches, see `training_batches`.

    Args:
        model: a network of this package with its top. It outputs
            probabilities (softmax) or logits (no activation); the loss is
            chosen accordingly.
        recipe: see `schedule`.
        total_steps: see `schedule`.
        learning_rate: see `schedule`.
        weight_decay: replaces the recipe's weight decay.
        batch_size: see `schedule`.
        backbone_learning_rate: for fine-tuning: the learning rate, before the
            first drop, of all layers except "predictions". It drops with the
            schedule. Defaults to the learning rate.
        label_smoothing: fraction of the target spread evenly over all
            classes, 0 <= label_smoothing < 1. Defaults to the recipe's; the
            paper's have 0, off.
        schedule_kind: see `schedule`.
        ema: see `optimizer`.
        mixed_labels: whether labels are (N, classes), as of mixup and CutMix,
            and not integers.
        **kwargs: arguments of `keras.Model.compile`, such as `jit_compile`.

    Raises:
        ValueError: if the model's outputs are neither probabilities nor
            logits, a number is out of range, or backbone_learning_rate is
            given and there is no layer "predictions".

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20()
        >>> keras_resnetv2.training.compile(model, "paper", total_steps=1000)
        >>> model.optimizer.momentum
        0.9
    """
    recipe = find_recipe(recipe)
    if label_smoothing is None:
        label_smoothing = recipe.label_smoothing
    factors = None
    if backbone_learning_rate is not None:
        rate = recipe.rate(learning_rate, batch_size)
        factors = _backbone_factors(model, backbone_learning_rate, rate)
    accuracy = (
        keras.metrics.CategoricalAccuracy
        if mixed_labels
        else keras.metrics.SparseCategoricalAccuracy
    )
    model.compile(
        optimizer=optimizer(
            recipe,
            total_steps,
            learning_rate,
            weight_decay,
            batch_size,
            factors,
            schedule_kind,
            ema,
        ),
        loss=crossentropy(label_smoothing, gives_logits(model), mixed_labels),
        metrics=[accuracy(name="accuracy")],
        **kwargs,
    )


def _backbone_factors(model, backbone_rate, rate):
    check_learning_rate("backbone_learning_rate", backbone_rate)
    if not any(layer.name == CLASSIFIER for layer in model.layers):
        raise ValueError(
            "backbone_learning_rate is for all layers except "
            f"{CLASSIFIER!r}, and {model.name} has no such layer. Give its "
            "classifier that name, or omit backbone_learning_rate."
        )
    return {"": backbone_rate / rate, CLASSIFIER: 1.0}
