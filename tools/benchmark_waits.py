"""Measures how long a call still takes after its last batch.

    python tools/benchmark_waits.py --seconds=1,5,25,60

The work of a call is 20 small batches with pauses, so that the call takes the
given time. What it still takes after the last batch is no work: TensorFlow's
autotuned streams, for example, wait for the thread that tunes them.
"""

import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_resnetv2 import PreActResNet20
from keras_resnetv2.training import SGD

_SECONDS = flags.DEFINE_list("seconds", "1,5,25,60", "Lengths of the calls.")
_BATCHES, _IMAGES = 20, 8


class _Pauses(keras.callbacks.Callback):
    """Pauses after each batch, and remembers when the last one ended."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def _pause(self, batch, logs=None):
        time.sleep(self.seconds / _BATCHES)
        self.last = time.perf_counter()

    on_train_batch_end = on_test_batch_end = on_predict_batch_end = _pause


def main(argv):
    """Prints a row for each call: the seconds after its last batch."""
    model = PreActResNet20()
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((_BATCHES * _IMAGES, 32, 32, 3), "float32")
    labels = np.arange(len(images)) % 10
    stream = tf.data.Dataset.from_tensor_slices((images, labels))
    data = {"arrays": (images, labels), "dataset": (stream.batch(_IMAGES),)}
    calls = {
        "fit": model.fit,
        "evaluate": model.evaluate,
        "predict": lambda images, labels=None, **options: model.predict(
            images, **options
        ),
    }
    lengths = [float(text) for text in _SECONDS.value]
    print("| call | " + " | ".join(f"{s:g} s" for s in lengths) + " |")
    print("| --- |" + " ---: |" * len(lengths))
    for name, call in calls.items():
        for kind, given in data.items():
            waits = []
            for seconds in [0.0, *lengths]:  # the first one traces
                pauses = _Pauses(seconds)
                call(
                    *given,
                    batch_size=None if kind == "dataset" else _IMAGES,
                    verbose=0,
                    callbacks=[pauses],
                )
                waits.append(time.perf_counter() - pauses.last)
            cells = " | ".join(f"{wait:.2f}" for wait in waits[1:])
            print(f"| {name}, {kind} | {cells} |", flush=True)


if __name__ == "__main__":
    app.run(main)
