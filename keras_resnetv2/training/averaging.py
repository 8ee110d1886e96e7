"""Averages of weights: of a training's steps (EMA), or of several networks."""

import contextlib
from collections.abc import Iterable, Iterator

import keras
import numpy as np

from keras_resnetv2._checks import check_count
from keras_resnetv2.models.network import unscaled


def averages_of(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns the optimizer's averages of the weights, by the weights' paths.

    Args:
        model: a compiled network; the dict is empty if its optimizer has no
            `use_ema`.
    """
    optimizer = unscaled(model.optimizer)
    if not optimizer.use_ema or not optimizer.built:
        return {}
    return {
        variable.path: average
        for variable, average in zip(
            optimizer._trainable_variables,
            optimizer._model_variables_moving_average,
            strict=True,
        )
    }


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Gives a network the averages of its weights; a context manager.

    Afterwards it has all its own weights again, to the bit, whatever was done
    to them. Without `use_ema`, nothing is changed or restored.

    Args:
        model: a compiled network.
    """
    if not averages_of(model):
        yield
        return
    before = model.get_weights()
    try:
        take_averages(model)
        yield
    finally:
        model.set_weights(before)


def take_averages(model: keras.Model) -> None:
    """Replaces a network's weights by their averages, if there are any.

    Args:
        model: a compiled network.
    """
    for variable, average in _pairs(model):
        _copy(average, variable)


def set_averages(model: keras.Model) -> None:
    """Replaces the averages of the weights by the weights, if there are any.

    Args:
        model: a compiled network.
    """
    for variable, average in _pairs(model):
        _copy(variable, average)


def _pairs(model):
    """Lists the weights that have an average, and the averages."""
    averages = averages_of(model)
    return [
        (variable, averages[variable.path])
        for variable in model.trainable_variables
        if variable.path in averages
    ]


def _copy(source, target):
    # By value: JAX may donate the array of either one.
    target.assign(keras.ops.convert_to_numpy(source))


def average_weights(model: keras.Model, others: Iterable[keras.Model]) -> None:
    """Replaces a network's weights by the mean over it and others.

    The networks must be close to each other: checkpoints of one training
    (`keras.callbacks.ModelCheckpoint` writes them), or fine-tunings of one
    network. The mean of networks with different initial weights is of no use.
    Moving statistics are averaged, too; `update_batch_normalization` estimates
    them anew.

    Reference: Izmailov et al., "Averaging Weights Leads to Wider Optima and
    Better Generalization", 2018; Wortsman et al., "Model soups", 2022.

    Args:
        model: the network to change.
        others: networks of the same architecture.

    Raises:
        ValueError: if there are no others, or one has another architecture.
    """
    if isinstance(others, keras.Model):
        raise ValueError(
            f"others must be a list of networks; received {others.name!r}."
        )
    others = list(others)
    if not others:
        raise ValueError(
            "average_weights needs at least one other network; received none."
        )
    sums = [_numbers(variable) for variable in model.weights]
    for other in others:
        if _architecture(other) != _architecture(model):
            raise ValueError(
                f"The weights of {other.name!r} have other names or shapes "
                f"than those of {model.name!r}, or belong to another config. "
                "Average networks of one architecture."
            )
        for total, variable in zip(sums, other.weights):
            total += _numbers(variable)
    for variable, total in zip(model.weights, sums):
        variable.assign(total / (1 + len(others)))


def update_batch_normalization(
    model: keras.Model, batches: Iterable, steps: int = 100
) -> None:
    """Estimates the moving statistics of batch normalization anew.

    Each becomes the mean of the statistics of the batches, all with the same
    weight. It is of use after weights were averaged. Frozen layers keep theirs.

    Reference: Izmailov et al., 2018, section 3.2.

    Args:
        model: the network.
        batches: batches of standardized images, or tuples that begin with
            them, such as `training_batches` gives. Batches of the training's
            size give the best statistics.
        steps: most batches to take. Defaults to 100.

    Raises:
        ValueError: if there is no batch, or no batch normalization to train.
    """
    check_count("steps", steps)
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
    ]
    if not layers:
        raise ValueError(
            f"{model.name!r} has no batch normalization that is trained, so "
            "there is nothing to estimate."
        )
    momenta = [layer.momentum for layer in layers]
    remat = getattr(model, "remat", None)
    done = 0
    try:
        if remat:
            model.remat = "none"  # its functions would keep a momentum
        for done, batch in zip(range(1, steps + 1), batches):
            for layer in layers:
                layer.momentum = 1 - 1 / done  # of the mean so far
            images = batch[0] if isinstance(batch, tuple | list) else batch
            model(images, training=True)
    finally:
        if remat:
            model.remat = remat
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
    if not done:
        raise ValueError("batches is empty; expected at least one batch.")


def _architecture(model):
    config = getattr(model, "config", None)
    return config, [(v.path, tuple(v.shape)) for v in model.weights]


def _numbers(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable), "float64")
