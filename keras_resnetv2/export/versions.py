"""Writes numbered versions of a model into a directory."""

import contextlib
import errno
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_resnetv2._directories import check_no_file
from keras_resnetv2.export import (
    class_labels,
    prediction_log,
    self_check,
    server_files,
    signatures,
    warm_up,
)
from keras_resnetv2.export.exported import numbers_in
from keras_resnetv2.export.precision import with_precision
from keras_resnetv2.export.signatures import Serving

_PART = ".part-"
_ABANDONED = 24 * 3600  # seconds after which a part counts as abandoned


def export(
    model: keras.Model, directory: pathlib.Path, policy: str, serving: Serving
) -> pathlib.Path:
    """Adds a checked version of a model, and the files for the server.

    Args:
        model: a classifier.
        directory: directory of all versions.
        policy: the export's dtype policy.
        serving: the settings of the graph around the network.

    Returns:
        The directory of the new version.

    Raises:
        ValueError: if `directory` is a file, or the export's answers differ
            from the model's.
    """
    name = server_files.model_name(directory)
    version = add(
        directory, lambda part: write(model, part, name, policy, serving)
    )
    server_files.write(directory)
    return version


def add(
    directory: pathlib.Path, write: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Adds the next version; several processes may do so at the same time.

    Args:
        directory: directory of all versions; created if missing.
        write: writes a directory at the given path. If it raises, nothing is
            added.

    Returns:
        The new version; the first one is `directory/1`.

    Raises:
        ValueError: if `directory` is a file.
    """
    check_no_file("directory", directory)
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(directory)
    part = directory / f"{_PART}{uuid.uuid4().hex}"
    try:
        write(part)
        return _give_number(part, directory)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if is_new and not any(directory.iterdir()):
            directory.rmdir()


def _give_number(part, directory):
    while True:
        version = directory / str(max(numbers_in(directory), default=0) + 1)
        try:
            os.rename(part, version)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue  # another process was first
        return version


def _remove_abandoned(directory):
    for part in directory.glob(f"{_PART}*"):
        with contextlib.suppress(FileNotFoundError):  # renamed by its process
            if time.time() - part.stat().st_mtime > _ABANDONED:
                shutil.rmtree(part, ignore_errors=True)


def write(
    model: keras.Model,
    path: pathlib.Path,
    name: str,
    policy: str,
    serving: Serving,
) -> None:
    """Writes a version and checks it.

    Args:
        model: a classifier.
        path: the directory to write.
        name: the model's name in the server.
        policy: the export's dtype policy.
        serving: the settings of the graph around the network.

    Raises:
        ValueError: if the export's answers differ from the model's.
    """
    served = with_precision(model, policy)
    pixels, requests = warm_up.make(model, serving)
    answer = signatures.answer_of(
        with_precision(model, "float32"), serving.standardization
    )
    expected = answer(pixels)
    allowed = self_check.allowed_difference(answer, pixels, expected, policy)
    write_graph(served, path, serving)
    prediction_log.write(
        path,
        name,
        [(request.signature, request.inputs) for request in requests],
    )
    self_check.check(path, requests, expected, serving.class_names, allowed)


def write_graph(
    model: keras.Model, path: pathlib.Path, serving: Serving
) -> None:
    """Writes only the SavedModel, without check and warm-up requests.

    Args:
        model: a classifier, already in the export's precision.
        path: the directory to write.
        serving: the settings of the graph around the network.
    """
    module, served = signatures.make(model, serving)
    path.mkdir(parents=True)
    labels = path / class_labels.FILE
    labels.write_text(class_labels.text_of(serving.class_names), "utf-8")
    module.labels = tf.saved_model.Asset(str(labels))
    tf.saved_model.save(module, str(path), signatures=served)
    labels.unlink()  # saving has copied it into assets/
