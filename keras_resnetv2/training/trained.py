"""Rebuilds and evaluates a trained network from its work directory."""

import contextlib
import dataclasses
import json
import os
from typing import NamedTuple

import keras
from absl import logging

from keras_resnetv2._files import write_json
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import brief
from keras_resnetv2.models.model_card import ModelCard, on_the_hub
from keras_resnetv2.training import checkpoints, classes, logs
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.devices import precision
from keras_resnetv2.training.errors import plain_errors
from keras_resnetv2.training.evaluation import loss_and_error, predict_logits
from keras_resnetv2.training.experiment import Experiment, training_command
from keras_resnetv2.training.images import found, load_split
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


def evaluate(
    workdir: str | os.PathLike,
    *,
    dataset: str | None = None,
    split: str = "test",
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    resize: int | None = None,
) -> dict:
    """Evaluates a trained network, and writes the results.

    The files in the work directory are evaluation.json (the returned values),
    classes.csv (errors by class), confusion.csv and confusion.png (the
    confusion matrix). Settings other than the training's own test are part of
    the names: classes-train.csv, classes-image_size=320.csv.

    Args:
        workdir: the training's directory.
        dataset: another dataset with the same classes, which is resized to
            the network's input; None for the training's own.
        split: "test", "held_out", or "train" (without the held-out images).
            Another dataset is split by the same rule.
        data_dir: where TensorFlow Datasets keeps its data; None for the
            training's setting.
        image_size: side of the images in pixels; None for the training's. The
            paper tests ImageNet at 224 and at 320.
        resize: for images that are decoded as needed, their shorter side
            before the centre crop, in pixels; see `data.evaluation_batches`.

    Returns:
        {"loss" (nats), "error" (a fraction), "top5_error" (with more than five
        classes), "calibration_error" (ECE), "images", "step", ...}.

    Raises:
        ValueError: if the directory or the data do not fit.
        ImportError: if matplotlib is missing; says what to install.
    """
    check_installed("An evaluation")
    directory = Workdir(workdir)
    model, experiment, facts, step, _ = load_trained(
        workdir, image_size=image_size
    )
    size = facts.image_shape[0]
    data = load_split(
        experiment,
        split,
        data_dir=data_dir or directory.data_dir(),
        dataset=dataset,
        image_size=size if dataset else image_size,
        folder_rule=facts.folder_rule,
    )
    name = dataset or experiment.dataset
    if tuple(data.class_names) != facts.class_names:
        raise ValueError(
            f"The classes of {name!r} differ from the training's: "
            f"{len(data.class_names)} ({', '.join(data.class_names[:3])}, ...) "
            f"instead of {len(facts.class_names)} "
            f"({', '.join(facts.class_names[:3])}, ...). Give a dataset of "
            "the same classes in the same order."
        )
    print(found({f"in {split}": data}, experiment.model, model))
    with plain_errors():
        logits = predict_logits(
            model, data, facts.standardization, resize=resize
        )
    result = {
        "model": experiment.model,
        "dataset": name,
        "split": split,
        "image_size": size,
        "images": len(data),
        "step": step,
        **loss_and_error(logits, data.labels),
        "calibration_error": classes.calibration_error(logits, data.labels),
    }
    count = len(facts.class_names)
    if count > classes.TOP:
        result["top5_error"] = classes.top_error(logits, data.labels)
    matrix = classes.confusion_matrix(logits.argmax(axis=1), data.labels, count)
    title = f"{experiment.model}: {len(data):,} {split} images of {name}"
    asked = {"dataset": dataset, "image_size": image_size, "resize": resize}
    suffix = f"-{split}" if split != "test" else ""
    for setting, value in asked.items():
        if value is not None:
            suffix += f"-{setting}={value}".replace("/", "_")
    evaluation = directory.evaluation.with_stem(f"evaluation{suffix}")
    try:
        write_json(evaluation, result)
        classes.write_class_files(
            directory.path, matrix, facts.class_names, title, suffix
        )
    except OSError as error:
        logging.warning("The results were not written: %s", error)
    else:
        print(
            f"Errors by class: {directory.path}/classes{suffix}.csv. Confusion "
            f"matrix: confusion{suffix}.csv and confusion{suffix}.png in the "
            "same directory."
        )
    return result
