"""Compares a training step's memory per image with that of `complexity`.

    python tools/benchmark_step_memory.py

It subtracts the peaks of two processes, one of which trains on twice as many
images: weights, program and optimizer cancel out. Linux, float32, without XLA.
"""

import resource
import subprocess
import sys

import numpy as np
from absl import app, flags

from keras_resnetv2 import ResNetV2, complexity, training
from keras_resnetv2.models.configs import find_config

_MODEL = flags.DEFINE_string("model", "PreActResNet110", "A name in MODELS.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images of the smaller step.")
_ALONE = flags.DEFINE_bool("alone", False, "Only print this batch's peak.")


def peak():
    """Trains two steps; returns the peak memory of the process in bytes."""
    config = find_config(_MODEL.value)
    model = ResNetV2(config, classifier_activation=None)
    training.compile(model, "paper", total_steps=10**6, jit_compile=False)
    images = np.zeros((_BATCH.value, *model.input_shape[1:]), "float32")
    for _ in range(2):
        model.train_on_batch(images, np.zeros(_BATCH.value, "int32"))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(argv):
    """Prints MB per image, measured and counted, and their ratio."""
    if _ALONE.value:
        print(peak())
        return
    small, large = (
        int(
            subprocess.check_output(
                [*sys.orig_argv, "--alone", f"--batch_size={batch}"], text=True
            ).split()[-1]
        )
        for batch in (_BATCH.value, 2 * _BATCH.value)
    )
    measured = (large - small) / _BATCH.value / 1e6
    counted = 4 * complexity(find_config(_MODEL.value)).activations / 1e6
    print(f"{measured:.2f} MB per image, {counted:.2f} counted: ", end="")
    print(f"ratio {measured / counted:.2f}")


if __name__ == "__main__":
    app.run(main)
