"""Fine-tuning: loads the weights of another training, and freezes stages."""

import os

import keras

from keras_resnetv2._origin import origin_of
from keras_resnetv2.data import Standardization
from keras_resnetv2.models import layer_names, published, sharing
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
        path: a work directory, "cifar10" (published weights), a file, as for
            `load_backbone`, or a shared network, as for `from_pretrained`;
            None does nothing.

    Raises:
        ValueError: if there is nothing at that path, or it belongs to another
            network.
        ImportError: if a package that it needs is not installed.
        OSError: if weights cannot be found or downloaded.
    """
    if path is None:
        return
    source = _source(path)
    if isinstance(source, Workdir):
        _restore_backbone(model, source)
        return
    # The training keeps its own origin; the initial weights' may differ.
    origin = origin_of(model)
    load_backbone(model, source)
    set_origin(model, origin)


def _source(path):
    """Returns the work directory, or what `load_backbone` takes."""
    if sharing.is_shared(path):
        return sharing.from_pretrained(path)
    if published.is_tag(path) or os.path.isfile(path):
        return path
    workdir = Workdir(path)
    if not workdir.settings.exists():
        raise ValueError(
            f"initial_weights={path!r} is neither a work directory nor a file "
            "of weights, nor a folder that save_pretrained wrote. Give one of "
            "these, cifar10 or imagenet (published weights), or "
            "hf://user/name."
        )
    return workdir


def _restore_backbone(model, workdir):
    workdir.read()  # raises an error if its settings are damaged
    if checkpoints.restore(backbone(model), workdir.checkpoints) is None:
        raise ValueError(
            f"initial_weights={str(workdir.path)!r} has no checkpoint yet. "
            "Give the work directory of a training that has finished an epoch."
        )


def initial_standardization(experiment: Experiment) -> str | Standardization:
    """Returns the standardization: asked for, initial weights' or recipe's.

    Raises:
        ValueError: see `load_initial_weights`: a missing file is an error
            whatever standardization is asked for.
    """
    own = None
    if experiment.initial_weights is not None:
        source = _source(experiment.initial_weights)
        if isinstance(source, Workdir):
            _, facts = source.read()
            own = facts.standardization
        else:
            own = find(source, experiment.config()).origin.standardization
    if experiment.standardization is not None:
        return experiment.standardization
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
