"""Fine-tuning: loads the weights of another training, and freezes stages."""

import os

import keras

from keras_resnetv2._origin import origin_of
from keras_resnetv2.data import Standardization
from keras_resnetv2.models import layer_names, published
from keras_resnetv2.models.backbones import backbone, load_backbone
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.models.network_configs import config_of
from keras_resnetv2.models.weights import find
from keras_resnetv2.training import checkpoints
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.recipes import find_recipe
from keras_resnetv2.training.workdir import Workdir


def load_initial_weights(model: keras.Model, path: str | None) -> None:
    """Loads the weights of all layers except the classifier.

    Args:
        model: a network of this package with its top.
        path: a work directory, "cifar10" (published weights), or a file, as
            for `load_backbone`; None does nothing.

    Raises:
        ValueError: if there is nothing at that path, or it belongs to another
            network.
        ImportError: if the file needs a package that is not installed.
        OSError: if published weights cannot be found or downloaded.
    """
    if path is None:
        return
    if os.path.isdir(path) and not published.is_tag(path):
        _restore_backbone(model, path)
        return
    # The training keeps its own origin; the initial weights' may differ.
    origin = origin_of(model)
    load_backbone(model, path)
    set_origin(model, origin)


def _restore_backbone(model, path):
    workdir = Workdir(path)
    workdir.read()  # raises an error if it is not a work directory
    if checkpoints.restore(backbone(model), workdir.checkpoints) is None:
        raise ValueError(
            f"initial_weights={path!r} has no checkpoint yet. Give the work "
            "directory of a training that has finished an epoch."
        )


def initial_standardization(experiment: Experiment) -> str | Standardization:
    """Returns the standardization: asked for, initial weights' or recipe's."""
    path = experiment.initial_weights
    if experiment.standardization is not None:
        return experiment.standardization
    if path is None:
        own = None
    elif os.path.isdir(path) and not published.is_tag(path):
        _, facts = Workdir(path).read()
        own = facts.standardization
    else:
        own = find(path, experiment.config()).origin.standardization
    return own or find_recipe(experiment.recipe).standardization


def freeze(model: keras.Model, frozen_stages: int | None) -> None:
    """Freezes the stem and the first stages, like mmdetection's setting.

    Frozen layers keep their weights and their moving statistics, normalize
    with these, and apply no dropout. Call it before `compile`. It only
    freezes; `model.trainable = True` unfreezes all layers.

    A stage consists of the layers called `stage{k}_...`. With full
    pre-activation it ends in the raw signal of its last addition. The BN and
    ReLU after it belong to the next unit, or to the head, and stay trainable.

    Args:
        model: a network of this package, or a functional model built on its
            output.
        frozen_stages: None freezes nothing, 0 the stem, k the stem and stages
            1 to k.

    Raises:
        ValueError: if the model has no stages, or a number is out of range.

    Example:
        >>> import keras_resnetv2
        >>> model = keras_resnetv2.PreActResNet20()
        >>> keras_resnetv2.training.freeze(model, 1)
        >>> model.trainable_variables[0].path
        'stage2_unit1_preact_bn/gamma'
    """
    if frozen_stages is None:
        return
    try:
        stages = len(config_of(model).widths)
    except ValueError as error:
        raise ValueError(
            f"{model.name} has no layers called stage1_..., so it has no "
            "stages to freeze. If the network is a layer of it, freeze that "
            "layer: freeze(model.get_layer(...), frozen_stages)."
        ) from error
    if frozen_stages not in range(stages + 1):
        raise ValueError(
            f"frozen_stages must be None, 0 (the stem) or up to {stages} (the "
            f"stem and all stages of {model.name}); received {frozen_stages!r}."
        )
    stages = map(layer_names.stage, range(1, frozen_stages + 1))
    kept = tuple(f"{name}_" for name in (layer_names.STEM, *stages))
    for layer in model.layers:
        if layer.name.startswith(kept):
            layer.trainable = False
