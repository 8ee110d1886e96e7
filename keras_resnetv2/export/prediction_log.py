"""Writes and reads the requests that TF Serving replays to warm up a model.

A server that finds `assets.extra/tf_serving_warmup_requests` in a model runs
these requests before it answers others. The messages are those of
tensorflow-serving-api. That package cannot be installed beside tensorflow-cpu
without ignoring its requirements, so the messages needed are declared below.
"""

import pathlib

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

_WARM_UP = pathlib.Path("assets.extra", "tf_serving_warmup_requests")
_PACKAGE = "tensorflow.serving"
_STRING, _BYTES = "TYPE_STRING", "TYPE_BYTES"
# For each message: field, number and type. The values of `inputs` are
# TensorProto, which have the same encoding as their bytes.
_MESSAGES = {
    "ModelSpec": [("name", 1, _STRING), ("signature_name", 3, _STRING)],
    "Input": [("key", 1, _STRING), ("value", 2, _BYTES)],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "Input")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
}
_REPEATED = ("inputs",)


def write(
    version: pathlib.Path,
    model: str,
    requests: list[tuple[str, dict[str, np.ndarray]]],
) -> None:
    """Writes the requests with which a server warms up the model.

    Args:
        version: the SavedModel's directory.
        model: the model's name in the server.
        requests: signature names and their inputs.
    """
    path = version / _WARM_UP
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(_log(model, signature, inputs).SerializeToString())


def read(version: pathlib.Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the requests that `write` wrote.

    Args:
        version: the SavedModel's directory.
    """
    requests = []
    for record in tf.data.TFRecordDataset(str(version / _WARM_UP)):
        log = _message("PredictionLog").FromString(record.numpy())
        request = log.predict_log.request
        inputs = {
            entry.key: tf.make_ndarray(
                tensor_pb2.TensorProto.FromString(entry.value)
            )
            for entry in request.inputs
        }
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def _log(model, signature, inputs):
    log = _message("PredictionLog")()
    request = log.predict_log.request
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request.inputs.add(key=key, value=tensor)
    return log


def _message(name):
    return message_factory.GetMessageClass(
        _POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    )


def _make_pool():
    # A separate pool, because tensorflow-serving-api may be imported as well.
    file = descriptor_pb2.FileDescriptorProto(
        name="warm_up.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = "REPEATED" if field in _REPEATED else "OPTIONAL"
            message.field.add(
                name=field,
                number=number,
                label=f"LABEL_{label}",
                **(
                    {"type": kind}
                    if kind.startswith("TYPE_")
                    else {
                        "type": "TYPE_MESSAGE",
                        "type_name": f".{_PACKAGE}.{kind}",
                    }
                ),
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL = _make_pool()
