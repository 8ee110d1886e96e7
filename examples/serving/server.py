"""A development server with TensorFlow Serving's REST API.

    pip install fastapi uvicorn
    python examples/serving/server.py \
        --model_name=cifar --model_base_path=serving/cifar

It serves the newest version of an export to this machine only: predictions, in
rows and columns, and status. It needs TensorFlow, but neither Keras nor this
package. For production, gRPC and metadata, use TensorFlow Serving.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import argparse
import base64
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import start_server
import tensorflow as tf

try:
    import fastapi
    import uvicorn
    from fastapi.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
except ImportError as error:
    sys.exit(f"{error}: pip install fastapi uvicorn")

MODEL = "/v1/models/{name}"
VERSION = MODEL + "/versions/{version}"
WRONG = ArithmeticError, AttributeError, RecursionError, TypeError, ValueError


def make_app(model_name, base_path):
    """Returns the API of one model; ValueError if it has no version."""
    path = start_server.newest(pathlib.Path(base_path).expanduser())
    loaded = tf.saved_model.load(str(path))

    def check(name: str, version: str = path.name):
        if (name, version) != (model_name, path.name):
            served = f"{model_name}, version {path.name}"
            raise HTTPException(404, f"Not found. The model is {served}.")

    app = fastapi.FastAPI(dependencies=[fastapi.Depends(check)])

    @app.get(MODEL)
    @app.get(VERSION)
    def status():
        only = {"version": path.name, "state": "AVAILABLE"}
        return {"model_version_status": [only]}

    @app.post(MODEL + ":predict")
    @app.post(VERSION + ":predict")
    async def predict(request: fastapi.Request):
        body = await request.body()
        return await run_in_threadpool(answer, loaded.signatures, body)

    @app.exception_handler(HTTPException)
    def refuse(request, error):
        content = {"error": error.detail}
        return fastapi.responses.JSONResponse(content, error.status_code)

    return app


def answer(signatures, body):
    """Returns the answer to a request; raises HTTPException 400 if bad."""
    try:
        request = json.loads(body)
        name = request.get("signature_name", "serving_default")
        if name not in signatures:
            known = ", ".join(sorted(signatures))
            raise ValueError(f"signature_name {name!r} is not one of {known}")
        if ("instances" in request) == ("inputs" in request):
            raise ValueError("give either 'instances' or 'inputs'")
        # Every signature of an export has one input.
        (spec,) = signatures[name].structured_input_signature[1].values()
        values = request.get("instances", request.get("inputs"))
        inputs = _tensor(_decoded(values, spec.name), spec)
        outputs = signatures[name](**{spec.name: inputs})
    except (*WRONG, tf.errors.InvalidArgumentError) as error:
        reason = getattr(error, "message", error)
        raise HTTPException(400, f"Bad request: {reason}") from None
    columns = {key: _plain(value) for key, value in outputs.items()}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    if len(columns) == 1:  # a single output has no name
        (columns,) = columns.values()
        rows = columns
    if "inputs" in request:
        return {"outputs": columns}
    return {"predictions": rows}


def _decoded(value, name):
    """Returns JSON values, decoded from base64, without the input's name."""
    if isinstance(value, list):
        return [_decoded(item, name) for item in value]
    if isinstance(value, dict) and set(value) == {name}:
        return _decoded(value[name], name)
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return value


def _tensor(values, spec):
    dtype = spec.dtype.as_numpy_dtype  # of strings: object
    array = np.array(values, dtype if dtype is object else None)
    kinds = {object: "O", np.uint8: "iu"}.get(dtype, "iuf")
    fits = spec.shape.is_compatible_with(array.shape)
    if not fits or array.dtype.kind not in kinds:
        raise ValueError(
            f"{spec.name} is {spec.dtype.name} of shape {spec.shape}; received "
            f"{array.dtype} of shape {array.shape}"
        )
    return tf.constant(np.array(values, dtype), spec.dtype)


def _plain(tensor):
    array = tensor.numpy()
    if tensor.dtype == tf.string:
        array = np.char.decode(array.astype(bytes), errors="replace")
    return array.tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_base_path", required=True)
    parser.add_argument("--rest_api_port", type=int, default=8501)
    args = parser.parse_args()
    try:
        app = make_app(args.model_name, args.model_base_path)
    except ValueError as error:
        sys.exit(str(error))
    # Further connections are answered with 503.
    uvicorn.run(app, port=args.rest_api_port, limit_concurrency=64)


if __name__ == "__main__":
    main()
