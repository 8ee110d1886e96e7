"""`classify`: picture files in, names and scores out."""

import concurrent.futures
import os
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from absl import logging

from keras_resnetv2._checks import check_count
from keras_resnetv2._files import user_path
from keras_resnetv2._origin import network_of, origin_of, standardization_for
from keras_resnetv2.data import (
    Standardization,
    crops,
    decode_predictions,
)
from keras_resnetv2.data.crop_pixels import cut_by_rule
from keras_resnetv2.data.image_files import PIXEL_LIMIT, read_image
from keras_resnetv2.data.image_folder import list_pictures
from keras_resnetv2.data.predictions import softmax
from keras_resnetv2.models.classifier import kind_of_answer
from keras_resnetv2.training.evaluation import images_at_once
from keras_resnetv2.training.images import side_of

Answer = list[tuple[str, float]]


def classify(
    network: keras.Model,
    files: str | os.PathLike | Sequence[str | os.PathLike],
    top: int = 5,
    *,
    standardization: str | Standardization | None = None,
    class_names: str | Sequence[str] | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    skip_unreadable: bool = False,
) -> list[Answer | None]:
    """Classifies image files.

    Each picture is turned upright by its EXIF orientation, scaled, cropped at
    its centre and standardized, as in the evaluation of the network.

    Args:
        network: a network with published weights, or one trained by this
            package (`load_trained(workdir).model`, or its model.keras). It
            knows its preprocessing and its classes. For another network give
            both.
        files: path of a picture, or several: JPEG, PNG, GIF, BMP, WebP or TIFF
            files of any size, and AVIF if Pillow reads it. A folder stands for
            the pictures in it, at any depth, in the order of their names.
        top: number of classes to return, or all if there are fewer.
        standardization: the training's standardization, or its name in
            `STANDARDIZATIONS`. Default: the network's own. If layers of your
            own standardize, give `Standardization([0, 0, 0], [1, 1, 1])`,
            which changes nothing.
        class_names: names in the order of the labels, or a key of
            `CLASS_NAMES`. Default: the network's own.
        pixel_limit: pictures with more pixels are refused. Defaults to 200
            million.
        skip_unreadable: whether to return None for a file that cannot be read,
            with a warning, instead of raising an error.

    Returns:
        For each file [(class name, score), ...], best first. Scores are
        probabilities. If the classifier ends in another activation, such as a
        sigmoid, they are its outputs.

    Raises:
        ValueError: if the network does not know its preprocessing or its
            classes, or does not take square images of a fixed size; or if a
            file cannot be read.
        FileNotFoundError: if a folder has no pictures.

    Example::

        network = keras_resnetv2.PreActResNet20(weights="cifar10")
        [answer] = keras_resnetv2.classify(network, "cat.jpg")
        name, score = answer[0]
    """
    check_count("top", top)
    paths = _pictures(files)
    network = _network(network)
    gives_logits = kind_of_answer(network) == "logits"
    size = side_of(network)
    standardization = standardization_for(network, standardization)
    names = network if class_names is None else class_names
    classes = network.outputs[0].shape[-1]
    decode_predictions(np.eye(1, classes), 1, names)  # do the names fit?
    resize = origin_of(network).resize or size
    answers = []
    for squares in _batches(paths, size, resize, pixel_limit, skip_unreadable):
        there = [square for square in squares if square is not None]
        named = iter(())
        if there:
            pixels = standardization(np.stack(there))
            scores = network.predict(pixels, len(pixels), verbose=0)
            if gives_logits:
                scores = softmax(scores)
            named = iter(decode_predictions(scores, top, names))
        answers += [
            None
            if square is None
            else [(name, score) for _, name, score in next(named)]
            for square in squares
        ]
    return answers


def _pictures(files):
    """Lists the files, and those in the folders."""
    files = [files] if isinstance(files, (str, os.PathLike)) else files
    files = list(files) if isinstance(files, Iterable) else [files]
    for file in files:
        if not isinstance(file, (str, os.PathLike)):
            raise ValueError(
                "classify takes the paths of picture files; received a "
                f"{type(file).__name__}. For images in memory call "
                "decode_predictions(network.predict("
                "preprocess_input(images, network)), class_names=network)."
            )
    return [
        picture
        for file in map(user_path, files)
        for picture in (list_pictures([file]) if file.is_dir() else [file])
    ]


def _network(network):
    if isinstance(network, (str, os.PathLike)):
        raise ValueError(
            f"classify takes a network; received the path {network}. Load it: "
            "load_trained(workdir), or keras.models.load_model(file)."
        )
    return network_of(network)


def _batches(
    paths, size, resize, pixel_limit, skip_unreadable
) -> Iterator[list[np.ndarray | None]]:
    """Generates the squares in batches."""
    rule = crops.center(resize)

    def square_of(path):
        try:
            image = read_image(path, pixel_limit=pixel_limit)
        except ValueError as error:
            if not skip_unreadable:
                raise
            logging.warning("%s", error)
            return None
        return cut_by_rule(image, rule, None, size)

    step = images_at_once(size, size)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), step):
            yield list(pool.map(square_of, paths[start : start + step]))
