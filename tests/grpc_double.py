"""A stand-in for TensorFlow Serving's gRPC port: Predict of one export.

python tests/grpc_double.py serving/cifar --port=8500
"""

import argparse
import concurrent.futures
import contextlib
import pathlib
import signal

import grpc
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

# TensorFlow Serving writes typed fields, where TensorFlow packs bytes.
FIELDS = {tf.float32: "float_val", tf.bool: "bool_val", tf.string: "string_val"}


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Version 1 of the export, under its directory's name."""

    def __init__(self, export):
        self._name = export.name
        self._loaded = tf.saved_model.load(str(export / "1"))

    def Predict(self, request, context):  # noqa: D102
        spec = request.model_spec
        if spec.name != self._name:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        try:
            outputs = self._loaded.signatures[spec.signature_name](
                **{
                    name: tf.constant(tf.make_ndarray(value))
                    for name, value in request.inputs.items()
                }
            )
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:999])
        response = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(
                TensorProto(
                    dtype=value.dtype.as_datatype_enum,
                    tensor_shape=value.shape.as_proto(),
                    **{FIELDS[value.dtype]: value.numpy().ravel().tolist()},
                )
            )
        return response


@contextlib.contextmanager
def serving(export, port=0):
    """Serves within the block; its port."""
    threads = concurrent.futures.ThreadPoolExecutor(8)
    server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Prediction(export), server
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--port", type=int)
    args = parser.parse_args()
    with (
        contextlib.suppress(KeyboardInterrupt),
        serving(args.export, args.port),
    ):
        signal.pause()
