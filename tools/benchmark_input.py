"""Speed of the training input alone: shuffling, standardising, augmenting.

    taskset --cpu-list 0 python tools/benchmark_input.py

on one core; without taskset, on all.
"""

import time

from absl import app, flags

from keras_resnetv2 import data

_DATASET = flags.DEFINE_string("dataset", "cifar10", "As train.py's.")
_BATCH = flags.DEFINE_integer("batch_size", 128, "Images a step.")
_STEPS = flags.DEFINE_integer("steps", 4000, "Steps that are timed.")
_FRAMEWORK = flags.DEFINE_string("framework", "tensorflow", "or numpy.")
_WARM_UP = 200


def main(argv):
    """Prints images/s."""
    batches = iter(
        data.training_batches(
            data.load_arrays(_DATASET.value),
            batch_size=_BATCH.value,
            standardization="cifar10",
            steps=_WARM_UP + _STEPS.value,
            framework=_FRAMEWORK.value,
        )
    )
    for _ in range(_WARM_UP):
        next(batches)
    start = time.perf_counter()
    images = sum(len(labels) for _, labels in batches)
    print(f"{images / (time.perf_counter() - start):,.0f} images/s")


if __name__ == "__main__":
    app.run(main)
