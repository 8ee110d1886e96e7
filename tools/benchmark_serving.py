"""Compares exports with Keras's own model.export: size, images per second.

    python tools/benchmark_serving.py --model=ResNet50V2 --batch_size=8

The network and its weights are the same. tf.saved_model.load loads all exports
in one process. The repeats alternate, and medians are compared. Pixels are
random.
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_resnetv2 import ResNetV2, export_saved_model
from keras_resnetv2.models.configs import find_config

_MODEL = flags.DEFINE_string("model", "ResNet50V2", "A name in MODELS.")
_BATCH = flags.DEFINE_integer("batch_size", 8, "Images per request.")
_REQUESTS = flags.DEFINE_integer("requests", 10, "Requests per repeat.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Repeats of each.")


def export(model, folder):
    """Exports the model; returns the paths by name, Keras's first."""
    peer = folder / "keras" / "1"
    model.export(str(peer), verbose=False)
    paths = {"keras model.export": peer}
    for precision in ("float32", "bfloat16"):
        paths[f"keras_resnetv2 {precision}"] = export_saved_model(
            model,
            folder / precision,
            standardization="imagenet",
            precision=precision,
        )
    return paths


def main(argv):
    """Prints each export's megabytes of weights, images/s and ratio."""
    model = ResNetV2(find_config(_MODEL.value))
    pixels = tf.constant(
        np.random.default_rng(0).uniform(
            0, 255, (_BATCH.value, *model.input_shape[1:])
        ),
        tf.float32,
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = export(model, pathlib.Path(folder))
        loaded = {
            name: tf.saved_model.load(str(path)) for name, path in paths.items()
        }
        sizes = {
            name: sum(f.stat().st_size for f in path.glob("variables/*"))
            for name, path in paths.items()
        }
    # A signature lives as long as the model it was loaded with.
    served = {
        name: model.signatures["serving_default"]
        for name, model in loaded.items()
    }
    seconds = {name: [] for name in served}
    for repeat in range(_REPEATS.value + 1):
        for name, signature in served.items():
            start = time.perf_counter()
            for _ in range(_REQUESTS.value):
                signature(images=pixels)
            if repeat:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    speeds = {
        name: _BATCH.value * _REQUESTS.value / statistics.median(values)
        for name, values in seconds.items()
    }
    first = next(iter(speeds.values()))
    for name, speed in speeds.items():
        print(
            f"{name}: {sizes[name] / 1e6:.1f} MB of weights, "
            f"{speed:.1f} images/s, ratio {speed / first:.2f}"
        )


if __name__ == "__main__":
    app.run(main)
