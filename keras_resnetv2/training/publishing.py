"""A trained network as a file of published weights, and what it is held to."""

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
from keras_resnetv2.training.experiment import Experiment, changed_settings
from keras_resnetv2.training.trained import Trained, load_trained

_BATCH = 500
_LOGITS_OF = 8  # images, in a record


def publish(
    workdir: str | os.PathLike,
    folder: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
) -> PublishedWeights:
    """Writes a finished training's weights and measures what was written.

    Args:
        workdir: the training's directory.
        folder: where the `.weights.h5` file goes.
        data_dir: where TensorFlow Datasets keeps its data; None for its own
            default.

    Returns:
        The row for the table of published weights.

    Raises:
        ValueError: if the training is not finished, or was not one of all of a
            data set's images as they are, standardised as `preprocess_input`
            does it for that data set; or if the folder has other weights under
            the file's name.
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
        command=_command(experiment),
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
    """Logits of a published network, as whoever loads it gets them.

    Args:
        row: of the table.
        path: of its file.
        images: (N, H, W, C), uint8.

    Returns:
        float32 (N, classes).
    """
    model = ResNetV2(row.config, weights=path, classifier_activation=None)
    images = preprocess_input(images, row.tag)
    return model.predict(images, batch_size=_BATCH, verbose=0)


def record(logits: np.ndarray) -> dict[str, list]:
    """What a test holds a published network to.

    Args:
        logits: (N, classes), of the bundled test images.

    Returns:
        {"labels": the N predicted ones, "logits": of the first images}.
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
            f"{steps:,} steps. Let the training end before it is published."
        )
    for name in ("held_out", "image_size"):
        if (value := getattr(experiment, name)) is not None:
            raise ValueError(
                f"workdir={os.fspath(workdir)!r} was trained with "
                f"{name}={value}. Published are networks of all of a data "
                "set's training images, as they are."
            )
    known = STANDARDIZATIONS.get(experiment.dataset)
    used = facts.standardization
    if known is None or not all(
        getattr(known, name).shape == getattr(used, name).shape
        and np.allclose(getattr(known, name), getattr(used, name), rtol=1e-5)
        for name in ("mean", "std")
    ):
        raise ValueError(
            f"workdir={os.fspath(workdir)!r} was trained on images that "
            f"preprocess_input(images, {experiment.dataset!r}) does not give: "
            f"mean {used.mean.shape} {used.mean.mean():.2f}. Published are "
            f"networks of {', '.join(STANDARDIZATIONS)}, standardised by "
            "channel."
        )


def _file_name(experiment: Experiment) -> str:
    options = (f"{name}={value}" for name, value in experiment.options.items())
    name = "-".join([experiment.model, *options, experiment.dataset])
    return f"{name}.weights.h5"


def _write(path, content):
    """Whole or not at all, and never over other weights."""
    if path.exists() and path.read_bytes() != content:
        raise ValueError(
            f"{path} holds other published weights, which would be lost. "
            "Remove them and their row first, or give another folder."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def _command(experiment: Experiment) -> str:
    """The training's command line, less what every training has."""
    named = {
        "model": experiment.model,
        "dataset": experiment.dataset,
        "recipe": experiment.recipe,
        **changed_settings(experiment),
        "seed": experiment.seed,
        **experiment.options,
    }
    flags = (f"--{name}={value}" for name, value in named.items())
    return " ".join(["keras-resnetv2-train", *flags])
