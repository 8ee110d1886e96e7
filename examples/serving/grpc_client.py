"""Classifies picture files with TF Serving over gRPC.

    python examples/serving/grpc_client.py \
        --server=localhost:8500 --model=cifar demo/pictures/*.png

It needs tensorflow-serving-api (`pip install --no-deps tensorflow-serving-api
grpcio`) and any installed TensorFlow wheel: the API's messages contain
TensorFlow's (TensorProto), which only that wheel has. TensorFlow itself is not
imported: its messages load in 0.2 instead of 4 seconds and need 35 MB. The
command line is that of rest_client.py, in the same folder. Programs that use
TensorFlow can import `classify` from here as usual.
"""

import importlib.util
import sys
import types

import rest_client

MAX_BYTES = 256 * 2**20  # of a message; gRPC's default is 4 MiB


def import_messages():
    """Makes `import tensorflow.core...` find only the messages."""
    found = importlib.util.find_spec("tensorflow")
    if found is None:
        sys.exit("TensorFlow is not installed: pip install tensorflow-cpu")
    hollow = types.ModuleType("tensorflow")
    hollow.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = hollow


if __name__ == "__main__":
    import_messages()

try:
    import grpc
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )
except ImportError as error:
    sys.exit(
        f"{error}: pip install --no-deps tensorflow-serving-api grpcio protobuf"
    )

WHAT_TO_DO = {
    grpc.StatusCode.UNAVAILABLE: "Start a server (see examples/serving/"
    "README.md), or correct --server: the gRPC port, by default 8500.",
    grpc.StatusCode.NOT_FOUND: "Give --model the server's --model_name.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The server is busy; try again.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Send fewer or smaller pictures.",
}


def classify(server, model, pictures):
    """Returns [(class, score), ...] or None for each picture's bytes.

    Raises:
        RuntimeError: if the server does not answer; says what to do.
    """
    limits = [
        ("grpc.max_send_message_length", MAX_BYTES),
        ("grpc.max_receive_message_length", MAX_BYTES),
    ]
    answers = []
    with grpc.insecure_channel(server, options=limits) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for start in range(0, len(pictures), rest_client.PICTURES):
            request = _request(
                model, pictures[start : start + rest_client.PICTURES]
            )
            try:
                response = stub.Predict(request, timeout=rest_client.TIMEOUT)
            except grpc.RpcError as error:
                code = error.code()
                todo = WHAT_TO_DO.get(code, "The request is invalid.")
                reason = " ".join(error.details().split())[:300]
                raise RuntimeError(
                    f"{server}: {code.name}: {reason}. {todo}"
                ) from None
            answers += _rows(response.outputs)
    return answers


def _request(model, pictures):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "classify"
    tensor = request.inputs["image_bytes"]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=len(pictures))
    tensor.string_val.extend(pictures)
    return request


def _rows(outputs):
    """Yields rows from flat values, stored in the field of their type."""
    classes = [name.decode() for name in outputs["classes"].string_val]
    scores = outputs["scores"].float_val
    k = outputs["classes"].tensor_shape.dim[1].size
    for i, valid in enumerate(outputs["valid"].bool_val):
        row = slice(i * k, i * k + k)
        yield list(zip(classes[row], scores[row])) if valid else None


if __name__ == "__main__":
    rest_client.main(
        classify, "--server", "localhost:8500", __doc__.splitlines()[0]
    )
