"""Rebuilds trained networks."""

import contextlib
import dataclasses
import json
import os
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_resnetv2._origin import get_standardization, network_of, origin_of
from keras_resnetv2._text import brief
from keras_resnetv2.data import EncodedImages, ImageData, Standardization
from keras_resnetv2.models.classifier import gives_logits
from keras_resnetv2.models.model_card import ModelCard, on_the_hub
from keras_resnetv2.training import checkpoints, classes, logs
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.devices import precision
from keras_resnetv2.training.experiment import Experiment, training_command
from keras_resnetv2.training.images import (
    load_for,
    load_split,
    side_of,
)
from keras_resnetv2.training.networks import build_model
from keras_resnetv2.training.workdir import Workdir


class Trained(NamedTuple):
    """What `load_trained` returns.

    Attributes:
        model: the network. It maps standardized images (batch, H, W, C) to
            logits (batch, classes), and knows its preprocessing and classes.
        experiment: the settings of its training.
        facts: facts of its training data.
        step: number of training steps done.
        test_error: fraction of errors on the test images at this step, as
            `evaluate` or the training measured it; None if they did not, or
            with another precision or image size.
    """

    model: keras.Model
    experiment: Experiment
    facts: DataFacts
    step: int
    test_error: float | None = None

    __repr__ = brief

    @property
    def resize(self) -> int:
        """Shorter side of a picture before the centre crop in evaluation."""
        return self.model.origin.resize

    @property
    def card(self) -> ModelCard:
        """What a model card says of the training: see `save_pretrained`."""
        experiment, facts = self.experiment, self.facts
        height, width, _ = facts.image_shape
        steps = experiment.total_steps(facts.images)
        return ModelCard(
            data=f"{experiment.data_name}: {facts.images:,} training images, "
            f"{height} x {width} pixels, {len(facts.class_names)} classes",
            datasets=on_the_hub(experiment.dataset),
            recipe=f"{experiment.recipe}, {self.step:,} of {steps:,} steps, "
            f"{experiment.precision}, seed {experiment.seed}",
            test_error=self.test_error,
            command=training_command(experiment),
        )


def load_trained(
    workdir: str | os.PathLike,
    dtype: str | None = None,
    image_size: int | None = None,
) -> Trained:
    """Rebuilds the network of a training from its last checkpoint.

    Args:
        workdir: the training's directory.
        dtype: a precision that `Experiment` takes; None for the training's.
        image_size: side of the network's input in pixels; None for the
            training's.

    Returns:
        A `Trained`.

    Raises:
        ValueError: if this is not a work directory, or has no checkpoint yet.
    """
    workdir = Workdir(workdir)
    experiment, facts = workdir.read()
    if image_size is not None:
        shape = (image_size, image_size, facts.image_shape[2])
        facts.standardization.check_shape(shape)
        facts = dataclasses.replace(facts, image_shape=shape)
    with precision(dtype or experiment.precision):
        model = build_model(experiment, facts)
    restored = checkpoints.restore(model, workdir.checkpoints)
    if restored is None:
        raise ValueError(
            f"workdir={str(workdir.path)!r} has no checkpoint yet: no epoch "
            "was finished. Run its training command again."
        )
    test_error = None
    if image_size is None and dtype in (None, experiment.precision):
        test_error = _test_error(workdir, experiment, restored.step)
    return Trained(model, experiment, facts, restored.step, test_error)


def _test_error(directory, experiment, step):
    """Returns the measured fraction of errors; None if there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        result = json.loads(directory.evaluation.read_text())
        if result["step"] == step:
            return float(result["error"])
    if experiment.held_out is None:
        with contextlib.suppress(ValueError):
            for row in logs.read_rows(directory.metrics):
                if row.step == step:
                    return row.test_error
    return None


class Subject(NamedTuple):
    """A network, and the images that it is evaluated on.

    Attributes:
        name: name of the network.
        model: the network.
        dataset: name of the images' dataset.
        data: the images.
        labels: int64, (N,): the network's output for the class of each image.
        class_names: names in the order of the outputs.
        standardization: that of the images.
        resize: shorter side of encoded images before the centre crop.
        source: {"step": ...} of a training, or {"weights": ...}.
    """

    name: str
    model: keras.Model
    dataset: str
    data: ImageData | EncodedImages
    labels: np.ndarray
    class_names: tuple[str, ...]
    standardization: Standardization
    resize: int | None
    source: dict[str, Any]


def load_subject(
    network: str | os.PathLike | keras.Model,
    *,
    dataset: str | None,
    split: str,
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    resize: int | None = None,
    dtype: str | None = None,
) -> Subject:
    """Loads the network of a training, and images for it or another network.

    Args:
        network: see `evaluate`.
        dataset: see `evaluate`.
        split: see `evaluate`.
        data_dir: see `evaluate`.
        image_size: see `evaluate`.
        resize: see `evaluate`.
        dtype: precision of a training's network, see `load_trained`.

    Raises:
        ValueError: see `evaluate`.
    """
    if isinstance(network, str | os.PathLike):
        model, experiment, facts, step, _ = load_trained(
            network, dtype, image_size
        )
        data = load_split(
            experiment,
            split,
            data_dir=data_dir or Workdir(network).data_dir(),
            dataset=dataset,
            image_size=facts.image_shape[0] if dataset else image_size,
            folder_rule=facts.folder_rule,
        )
        name, dataset = experiment.model, dataset or experiment.dataset
        source = {"step": step}
    else:
        model = network_of(network)
        _check_network(model, image_size)
        data = load_for(model, dataset, split, data_dir)
        name, source = model.name, {"weights": origin_of(model).weights}
    origin = origin_of(model)
    outputs = classes.outputs_of(
        data.class_names, origin.class_names, model.output_shape[-1], dataset
    )
    if resize is None and isinstance(data, EncodedImages):
        resize = origin.resize or side_of(model)
    return Subject(
        name,
        model,
        dataset,
        data,
        outputs[data.labels],
        origin.class_names or tuple(data.class_names),
        get_standardization(model),
        resize,
        source,
    )


def _check_network(model, image_size):
    """Checks that a network can be evaluated at this image size."""
    gives_logits(model)
    side = side_of(model)
    if image_size not in (None, side):
        raise ValueError(
            f"The network {model.name!r} takes images of {side} pixels; "
            f"received image_size={image_size}. Build the network with the "
            "other size, or omit image_size."
        )
    if origin_of(model).standardization is None:
        raise ValueError(
            f"The network {model.name!r} does not know how its images were "
            "standardized. Build it with weights that say so or with "
            "include_preprocessing=, or load it with load_trained or "
            "from_pretrained."
        )
