"""Publishes the weights of a trained network, and records its outputs."""

import dataclasses
import hashlib
import os
import pathlib
import tempfile

import numpy as np

from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2.data import (
    STANDARDIZATIONS,
    load_arrays,
    preprocess_input,
)
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.published import PublishedWeights
from keras_resnetv2.training.evaluation import loss_and_error
from keras_resnetv2.training.experiment import Experiment, training_command
from keras_resnetv2.training.trained import Trained, load_trained

_BATCH = 500
_LOGITS_OF = 8  # number of images with logits in a record


def publish(
    workdir: str | os.PathLike,
    folder: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
) -> PublishedWeights:
    """Writes a finished training's weights, and tests the written file.

    Args:
        workdir: the training's directory.
        folder: folder for the `.weights.h5` file.
        data_dir: where TensorFlow Datasets keeps its data; None for its
            default.

    Returns:
        The row for the table of published weights.

    Raises:
        ValueError: if the training is not finished; if it did not use all
            images of a dataset at their own size, standardized like
            `preprocess_input` for that dataset; or if the folder has other
            weights under the file's name.
    """
    trained = load_trained(workdir, dtype="float32")
    _check(trained, workdir)
    experiment, facts = trained.experiment, trained.facts
    options = dict(experiment.options)
    if experiment.config().classes != len(facts.class_names):
        options["classes"] = len(facts.class_names)
    row = PublishedWeights(
        model=experiment.model,
        tag=experiment.dataset,
        file=_file_name(experiment),
        sha256="",
        size=0,
        test_error=1.0,
        steps=trained.step,
        seed=experiment.seed,
        command=training_command(experiment),
        options=options,
    )
    test = load_arrays(row.tag, "test", data_dir=data_dir)
    network = ResNetV2(row.config)
    network.set_weights(trained.model.get_weights())
    with tempfile.TemporaryDirectory() as temporary:
        part = pathlib.Path(temporary) / row.file
        network.save_weights(part)
        content = part.read_bytes()
        row = dataclasses.replace(
            row,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            test_error=loss_and_error(
                answers(row, part, test.images), test.labels
            )["error"],
        )
    _write(user_path(folder) / row.file, content)
    return row


def answers(
    row: PublishedWeights, path: str | os.PathLike, images: np.ndarray
) -> np.ndarray:
    """Returns the logits of a published network, as its users get them.

    Args:
        row: row of the table.
        path: path of its file.
        images: (N, H, W, C), uint8.

    Returns:
        float32 (N, classes).
    """
    model = ResNetV2(row.config, weights=path, classifier_activation=None)
    images = preprocess_input(images, row.tag)
    return model.predict(images, batch_size=_BATCH, verbose=0)


def record(logits: np.ndarray) -> dict[str, list]:
    """Makes the record that a test compares a published network with.

    Args:
        logits: (N, classes), of the bundled test images.

    Returns:
        {"labels": the N predicted labels, "logits": those of the first images}.
    """
    return {
        "labels": logits.argmax(axis=1).tolist(),
        "logits": np.round(logits[:_LOGITS_OF].astype(float), 5).tolist(),
    }


def _check(trained: Trained, workdir):
    experiment, facts = trained.experiment, trained.facts
    steps = experiment.total_steps(facts.images)
    if trained.step != steps:
        raise ValueError(
            f"workdir={os.fspath(workdir)!r} has done {trained.step:,} of "
            f"{steps:,} steps. Finish the training before you publish it."
        )
    for name in ("held_out", "image_size"):
        if (value := getattr(experiment, name)) is not None:
            raise ValueError(
                f"workdir={os.fspath(workdir)!r} was trained with "
                f"{name}={value}. To publish a network, train it on all "
                "training images of a dataset at their own size."
            )
    known = STANDARDIZATIONS.get(experiment.dataset)
    used = facts.standardization
    if known is None or not all(
        getattr(known, name).shape == getattr(used, name).shape
        and np.allclose(getattr(known, name), getattr(used, name), rtol=1e-5)
        for name in ("mean", "std")
    ):
        raise ValueError(
            f"workdir={os.fspath(workdir)!r} was trained with a "
            "standardization that differs from "
            f"preprocess_input(images, {experiment.dataset!r}): "
            f"mean {used.mean.shape} {used.mean.mean():.2f}. To publish a "
            f"network, train it on one of {', '.join(STANDARDIZATIONS)}, "
            "standardized per channel."
        )


def _file_name(experiment: Experiment) -> str:
    options = (f"{name}={value}" for name, value in experiment.options.items())
    name = "-".join([experiment.model, *options, experiment.dataset])
    return f"{name}.weights.h5"


def _write(path, content):
    """Writes the file atomically; never overwrites other weights."""
    if path.exists() and path.read_bytes() != content:
        raise ValueError(
            f"{path} holds other published weights. Remove them and their row "
            "first, or give another folder."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
