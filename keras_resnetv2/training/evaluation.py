"""`evaluate`, and the loss and errors of a network over a dataset.

Every image counts once.
"""

import math
import os

import keras
import numpy as np
from absl import logging

from keras_resnetv2._directories import check_no_file
from keras_resnetv2._files import user_path, write_json
from keras_resnetv2._origin import (
    get_standardization,
    includes_preprocessing,
)
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data import (
    EncodedImages,
    ImageData,
    Standardization,
)
from keras_resnetv2.data.predictions import softmax
from keras_resnetv2.models.classifier import gives_logits
from keras_resnetv2.models.network import replicas_in, strategy_of
from keras_resnetv2.training import classes
from keras_resnetv2.training.errors import plain_errors
from keras_resnetv2.training.images import found, images_to_test
from keras_resnetv2.training.trained import load_subject
from keras_resnetv2.training.workers import own_batches

# A batch has at most 500 images, or 64 of 224 x 224 pixels.
_IMAGES, _PIXELS = 500, 64 * 224 * 224
_TOP = 5  # as in the paper
_BINS = 15  # of the calibration error


def predict_logits(
    model: keras.Model,
    data: ImageData | EncodedImages,
    standardization: Standardization,
    batch_size: int | None = None,
    resize: int | None = None,
) -> np.ndarray:
    """Returns the logits of all images, in order.

    Args:
        model: maps standardized images to logits, or pixels if it includes its
            preprocessing.
        data: N images.
        standardization: the training's standardization.
        batch_size: images per batch, over all replicas; rounded up to a
            multiple of their number. Defaults to 500; fewer if they are large.
        resize: for encoded images, see `evaluation_batches`.

    Returns:
        float32 (N, classes).
    """
    if includes_preprocessing(model):
        standardization = get_standardization(model)
    _, height, width, _ = model.input_shape
    if batch_size is None:
        batch_size = images_at_once(height, width)
    strategy = strategy_of(model)
    replicas = replicas_in(strategy)
    batch_size = replicas * math.ceil(min(batch_size, len(data)) / replicas)
    batches = own_batches(
        strategy,
        lambda part: images_to_test(
            data,
            standardization,
            batch_size=batch_size,
            image_size=height,
            resize=resize,
            part=part,
        ),
    )
    steps = math.ceil(len(data) / batch_size)
    return model.predict(batches, steps=steps, verbose=0)[: len(data)]


def images_at_once(height: int, width: int) -> int:
    """Returns the number of images in a batch for prediction.

    Args:
        height: height of the images in pixels.
        width: width of the images in pixels.
    """
    return max(1, min(_IMAGES, _PIXELS // (height * width)))


def loss_and_error(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns the mean cross entropy in nats, and the fraction of errors.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        {"loss": ..., "error": ...}.
    """
    logits = logits.astype(np.float64)
    top = logits.max(axis=1)
    with np.errstate(invalid="ignore"):  # infinite logits: the loss is NaN
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    rows = np.arange(len(labels))
    return {
        "loss": float(np.mean(log_sum - logits[rows, labels])),
        "error": float(np.mean(logits.argmax(axis=1) != labels)),
    }


def top_error(logits: np.ndarray, labels: np.ndarray, top: int = _TOP) -> float:
    """Returns the fraction of images whose class is not among the `top` best.

    Among equal logits the lower label comes first, as in `decode_predictions`.
    So equal logits for all classes are not a hit for every image.

    Args:
        logits: (N, classes).
        labels: (N,).
        top: number of classes that count as a hit.
    """
    likeliest = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    return float(np.mean((likeliest != labels[:, None]).all(axis=1)))


def calibration_error(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the expected calibration error (ECE) with 15 bins.

    Images are put into 15 bins of equal width by their confidence. The error
    is the mean over images of |accuracy - mean confidence| of their bin.

    Reference: Guo et al., On Calibration of Modern Neural Networks, 2017,
    eq. (3).

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        A fraction; NaN if a logit is NaN.
    """
    confidence = softmax(logits.astype(np.float64)).max(axis=1)
    right = logits.argmax(axis=1) == labels
    bins = np.searchsorted(np.arange(1, _BINS) / _BINS, confidence)
    gaps = np.bincount(bins, right - confidence, _BINS)
    return float(np.abs(gaps).sum() / len(labels))


def evaluate(
    network: str | os.PathLike | keras.Model,
    *,
    dataset: str | None = None,
    split: str = "test",
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    resize: int | None = None,
    output: str | os.PathLike | None = None,
) -> dict:
    """Evaluates a network, and writes the results.

    The files are evaluation.json (the returned values), classes.csv (errors by
    class), confusion.csv and confusion.png (the confusion matrix). For a
    training, settings other than its own test are part of the names:
    classes-train.csv, classes-image_size=320.csv.

    Args:
        network: the work directory of a training; or a network with published
            weights, or from `load_trained` or `from_pretrained`.
        dataset: another dataset than the training's, see `load_arrays`; needed
            for a network. Its classes are found by their names among the
            network's. It may lack some of these. The images are resized to the
            network's input.
        split: "test", "train" (without the held-out images), or "held_out" of
            a training. Another dataset is split by the same rule.
        data_dir: where TensorFlow Datasets keeps its data; None for the
            training's setting.
        image_size: side of the images in pixels; None for the training's or
            the network's. The paper tests ImageNet at 224 and at 320.
        resize: for images that are decoded as needed, their shorter side
            before the centre crop, in pixels; see `data.evaluation_batches`.
        output: directory for the files; None for the work directory. Without
            either, no files are written.

    Returns:
        {"loss" (nats), "error" (a fraction), "top5_error" (with more than five
        classes), "calibration_error" (ECE), "images", "step" of a training or
        "weights" of a network, ...}.

    Raises:
        ValueError: if the network or the data do not fit.
        ImportError: if matplotlib is missing; says what to install.

    Example::

        network = keras_resnetv2.PreActResNet20(weights="cifar10")
        result = training.evaluate(network, dataset="cifar10_sample")
        error = result["error"]
    """
    is_training = isinstance(network, str | os.PathLike)
    folder = output or (network if is_training else None)
    if folder is not None:
        check_installed("An evaluation")
    if output is not None:
        check_no_file("output", user_path(output))
    subject = load_subject(
        network,
        dataset=dataset,
        split=split,
        data_dir=data_dir,
        image_size=image_size,
        resize=resize,
    )
    model, data, labels = subject.model, subject.data, subject.labels
    print(found({f"in {split}": data}, subject.name, model))
    with plain_errors():
        logits = predict_logits(
            model, data, subject.standardization, resize=subject.resize
        )
    if not gives_logits(model):
        # A probability that has become 0 counts as the smallest number.
        logits = np.log(np.maximum(logits, np.finfo(logits.dtype).tiny))
    result = {
        "model": subject.name,
        "dataset": subject.dataset,
        "split": split,
        "image_size": model.input_shape[1],
        "images": len(data),
        **subject.source,
        **loss_and_error(logits, labels),
        "calibration_error": calibration_error(logits, labels),
    }
    count = len(subject.class_names)
    if count > _TOP:
        result["top5_error"] = top_error(logits, labels)
    if folder is None:
        return result
    suffix = ""
    if is_training:
        asked = {"dataset": dataset, "image_size": image_size, "resize": resize}
        suffix = f"-{split}" if split != "test" else ""
        for setting, value in asked.items():
            if value is not None:
                suffix += f"-{setting}={value}".replace("/", "_")
    matrix = classes.confusion_matrix(logits.argmax(axis=1), labels, count)
    title = f"{subject.name}: {len(data):,} {split} images of {subject.dataset}"
    _write(
        user_path(folder), result, matrix, subject.class_names, title, suffix
    )
    return result


def _write(folder, result, matrix, class_names, title, suffix):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"evaluation{suffix}.json", result)
        classes.write_class_files(folder, matrix, class_names, title, suffix)
    except OSError as error:
        logging.warning("The results were not written: %s", error)
    else:
        print(
            f"Errors by class: {folder}/classes{suffix}.csv. Confusion "
            f"matrix: confusion{suffix}.csv and confusion{suffix}.png in the "
            "same directory."
        )
