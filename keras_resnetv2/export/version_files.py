"""One version of a SavedModel: its graph, its requests, its check."""

import pathlib

import keras
import tensorflow as tf

from keras_resnetv2.export import (
    outputs,
    prediction_log,
    self_check,
    signatures,
    warm_up,
)
from keras_resnetv2.export.precision import with_precision
from keras_resnetv2.export.signatures import Serving


def write(
    model: keras.Model,
    path: pathlib.Path,
    name: str,
    precision: str,
    serving: Serving,
) -> None:
    """Writes a version and checks it.

    Args:
        model: a classifier.
        path: the directory to write.
        name: the model's in the server.
        precision: a name in `PRECISIONS`.
        serving: what the graph does around the network.

    Raises:
        ValueError: if the export does not answer as the model does.
    """
    pixels, requests = warm_up.make(model, serving)
    answer = outputs.answer_of(
        with_precision(model, "float32"), serving.standardization
    )
    expected = answer(pixels)
    allowed = self_check.allowed(answer, pixels, expected, precision)
    write_graph(with_precision(model, precision), path, serving)
    prediction_log.write(
        path,
        name,
        [(request.signature, request.inputs) for request in requests],
    )
    self_check.check(path, requests, expected, serving.class_names, allowed)


def write_graph(
    model: keras.Model, path: pathlib.Path, serving: Serving
) -> None:
    """Writes the SavedModel itself, neither checked nor warmed up.

    Args:
        model: a classifier, in the precision it is to have.
        path: the directory to write.
        serving: a `Serving`.
    """
    module, served = signatures.make(model, serving)
    path.mkdir(parents=True)
    labels = path / "labels.txt"
    lines = "".join(f"{name}\n" for name in serving.class_names)
    labels.write_text(lines, "utf-8")
    module.labels = tf.saved_model.Asset(str(labels))
    tf.saved_model.save(module, str(path), signatures=served)
    labels.unlink()  # saving has copied it into assets/
