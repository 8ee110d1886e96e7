"""What a training begins with: another training's weights, or none."""

import os

import keras

from keras_resnetv2.data import Standardization
from keras_resnetv2.models import published
from keras_resnetv2.models.backbones import backbone, load_backbone
from keras_resnetv2.training import checkpoints
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.training.workdir import Workdir


def load_initial_weights(model: keras.Model, path: str | None) -> None:
    """Loads all layers but the classifier.

    Args:
        model: one of ours, with its top.
        path: a work directory, a `.weights.h5` file, or "cifar10" (published
            weights); None does nothing.

    Raises:
        ValueError: if there is nothing at that path, or of another network.
        OSError: if a file of published weights is not to be had.
    """
    if path is None:
        return
    if published.is_tag(path):
        load_backbone(model, path)
        return
    if not os.path.isdir(path):
        if not path.endswith(".weights.h5") or not os.path.isfile(path):
            raise ValueError(
                f"initial_weights={path!r} is neither a training's work "
                "directory nor a .weights.h5 file. Give one of the two, or "
                "the tag of published weights."
            )
        load_backbone(model, path)
        return
    workdir = Workdir(path)
    workdir.read()  # says so if it is none
    if checkpoints.restore(backbone(model), workdir.checkpoints) is None:
        raise ValueError(
            f"initial_weights={path!r} has no checkpoint yet. Give the work "
            "directory of a training that has finished an epoch."
        )


def initial_standardization(experiment: Experiment) -> str | Standardization:
    """The one asked for, or that of the initial weights, or the recipe's."""
    path = experiment.initial_weights
    if experiment.standardization is not None:
        return experiment.standardization
    if published.is_tag(path):
        return path
    if path is not None and os.path.isdir(path):
        _, facts = Workdir(path).read()
        return facts.standardization
    return find_recipe(experiment.recipe).standardization
