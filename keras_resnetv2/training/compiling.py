"""Makes a recipe's schedule and optimizer, and compiles networks with them."""

import keras

from keras_resnetv2._checks import check_count, check_positive
from keras_resnetv2.models.classifier import gives_logits
from keras_resnetv2.models.layer_names import CLASSIFIER
from keras_resnetv2.training.losses import crossentropy
from keras_resnetv2.training.optimizers import SGD
from keras_resnetv2.training.recipes import Recipe, find_recipe


def schedule(
    recipe: str | Recipe,
    total_steps: int,
    learning_rate: float | None = None,
    batch_size: int | None = None,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the recipe's learning rate schedule for `total_steps` steps.

    Reference: He et al., 2016, section 5 and appendix.

    Args:
        recipe: "paper", "torch", "imagenet" or a `Recipe`.
        total_steps: length of the training in steps.
        learning_rate: replaces the recipe's learning rate.
        batch_size: images per step, over all replicas. It scales the learning
            rate of a recipe with linear scaling ("imagenet"). Defaults to the
            recipe's.

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
    """Makes the recipe's optimizer with its schedule.

    Args:
        recipe: see `schedule`.
        total_steps: see `schedule`.
        learning_rate: see `schedule`.
        weight_decay: replaces the recipe's weight decay.
        batch_size: see `schedule`.
        learning_rate_factors: factors by layer, see `SGD`.

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
    """Returns the schedule of an optimizer.

    Args:
        optimizer: made by `optimizer`; Keras's loss scaling may wrap it.
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
            classes, 0 <= label_smoothing < 1. Defaults to 0, off.
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
    if not any(layer.name == CLASSIFIER for layer in model.layers):
        raise ValueError(
            "backbone_learning_rate is for all layers except "
            f"{CLASSIFIER!r}, and {model.name} has no such layer. Give its "
            "classifier that name, or omit backbone_learning_rate."
        )
    return {"": backbone_rate / rate, CLASSIFIER: 1.0}
