"""Builds and compiles an experiment's network."""

import dataclasses

import keras

from keras_resnetv2._origin import Origin
from keras_resnetv2.data.crops import evaluation_resize
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.training import compiling
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.experiment import Experiment


def network_config(experiment: Experiment, facts: DataFacts) -> ResNetConfig:
    """Returns the experiment's config, with the data's number of classes.

    Args:
        experiment: the settings.
        facts: facts of the training data.
    """
    return dataclasses.replace(
        experiment.config(), classes=len(facts.class_names)
    )


def build_model(experiment: Experiment, facts: DataFacts) -> keras.Model:
    """Builds the experiment's network with random weights.

    Args:
        experiment: the settings.
        facts: facts of the training data.

    Returns:
        A `keras.Model` that maps standardized images (batch, H, W, C) to
        logits (batch, classes). It knows its training data's name, classes and
        standardization.
    """
    model = ResNetV2(
        network_config(experiment, facts),
        input_shape=facts.image_shape,
        classifier_activation=None,
        name=experiment.model.lower(),
    )
    size = facts.image_shape[0]
    origin = Origin(
        weights=experiment.data_name,
        standardization=facts.standardization,
        class_names=facts.class_names,
        resize=evaluation_resize(size) if experiment.is_encoded else size,
    )
    set_origin(model, origin)
    return model


def compile_model(
    model: keras.Model, experiment: Experiment, total_steps: int
) -> None:
    """Sets a network's `remat`, and compiles it for the training.

    Args:
        model: made by `build_model`.
        experiment: the settings.
        total_steps: length of the training in steps.
    """
    model.remat = experiment.remat
    compiling.compile(
        model,
        experiment.recipe,
        total_steps=total_steps,
        learning_rate=experiment.learning_rate,
        backbone_learning_rate=experiment.backbone_learning_rate,
        weight_decay=experiment.weight_decay,
        batch_size=experiment.batch_size,
        label_smoothing=experiment.label_smoothing,
        schedule_kind=experiment.schedule,
        ema=experiment.ema,
        mixed_labels=experiment.mixes,
    )
