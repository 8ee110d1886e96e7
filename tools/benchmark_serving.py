"""Compares exports with other exports: size, time of a request.

    python tools/benchmark_serving.py --model=ResNet50V2 --batch_size=8

The peers are Keras's own `model.export` of the same network,
`keras.applications.ResNet50V2` by the same function, and ONNX Runtime on our
ONNX file. The networks' weights and the pixels are random. All run in one
process, by turns. A time is the fastest and, in parentheses, the median.
"""

import math
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_resnetv2 import (
    ResNetV2,
    complexity,
    export_onnx,
    export_saved_model,
)
from keras_resnetv2._processes import available_cores, processor
from keras_resnetv2._text import markdown_table
from keras_resnetv2.models.configs import find_config

_MODEL = flags.DEFINE_string("model", "ResNet50V2", "A name in MODELS.")
_BATCH = flags.DEFINE_integer("batch_size", 8, "Images per request.")
_REQUESTS = flags.DEFINE_integer("requests", 10, "Requests per repeat.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Repeats of each.")
_OURS, _PEER = "keras_resnetv2", "keras.applications.ResNet50V2"


def make_exports(model, folder):
    """Yields each export's name and path."""
    peers = {"model.export": model}
    if model.input_shape[1] == 224:
        peers[_PEER] = keras.applications.ResNet50V2(weights=None)
    for name, network in peers.items():
        path = folder / name / "1"
        network.export(str(path), verbose=False)
        yield name, path
    for precision in ("float32", "bfloat16"):
        yield (
            f"{_OURS}, {precision}",
            export_saved_model(
                model,
                folder / precision,
                standardization="imagenet",
                precision=precision,
            ),
        )
    yield (
        "ONNX Runtime",
        export_onnx(model, folder / "it.onnx", standardization="imagenet"),
    )


def load(path, pixels):
    """Returns a function that answers one request."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        return lambda: session.run(["probabilities"], {"images": pixels})
    network = tf.saved_model.load(str(path))
    serve = network.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    given = {name: tf.constant(pixels)}
    # A signature lives as long as the model it was loaded with.
    return lambda network=network: serve(**given)


def size_of(path):
    """Returns the bytes of an export's weights."""
    files = [path] if path.is_file() else path.glob("variables/*")
    return sum(file.stat().st_size for file in files)


def multiply_adds(model):
    """Counts those of a Keras model's convolutions and dense layers."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def measure(answers):
    """Returns each one's wall and CPU milliseconds a request, by name."""
    times = {name: [] for name in answers}
    for repeat in range(_REPEATS.value + 1):
        for name, answer in answers.items():
            start = np.array([time.perf_counter(), time.process_time()])
            for _ in range(_REQUESTS.value):
                answer()
            end = np.array([time.perf_counter(), time.process_time()])
            if repeat:  # the first one warms up
                times[name].append(1000 * (end - start) / _REQUESTS.value)
    return {name: np.transpose(values) for name, values in times.items()}


def main(argv):
    """Prints a row for each export."""
    config = find_config(_MODEL.value)
    model = ResNetV2(config)
    rng = np.random.default_rng(0)
    sizes = (_BATCH.value, *model.input_shape[1:])
    pixels = rng.uniform(0, 255, sizes).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        paths = dict(make_exports(model, pathlib.Path(folder)))
        bytes_of = {name: size_of(path) for name, path in paths.items()}
        answers = {name: load(path, pixels) for name, path in paths.items()}
        times = measure(answers)
    print(
        f"{processor()}, {available_cores()} cores; {_MODEL.value}, "
        f"{_BATCH.value} images a request"
    )
    counts = dict.fromkeys(times, complexity(config).multiply_adds)
    if _PEER in times:
        counts[_PEER] = multiply_adds(
            keras.applications.ResNet50V2(weights=None)
        )
    head = (
        "export",
        "weights, MB",
        "multiply-adds, G",
        "request, ms",
        "CPU, ms",
        "multiply-adds a second, to model.export's",
        "... of CPU",
    )
    first = counts["model.export"] / times["model.export"].min(axis=1)
    rows = [
        (
            name,
            f"{bytes_of[name] / 1e6:.1f}",
            f"{counts[name] / 1e9:.2f}",
            *(f"{min(one):.0f} ({statistics.median(one):.0f})" for one in both),
            *(f"{r:.2f}" for r in counts[name] / both.min(axis=1) / first),
        )
        for name, both in times.items()
    ]
    print(markdown_table(head, rows, [False] + [True] * 6))


if __name__ == "__main__":
    app.run(main)
