"""A training that is interrupted at the n-th time that a moment comes.

Runs in a process of its own: WORKDIR REPLICAS MOMENT NUMBER [SIGNAL [SEED]].
"""

import io
import os
import signal
import sys

import keras

from keras_resnetv2 import data, training
from keras_resnetv2.training import (
    checkpoints,
    errors,
    evaluation,
    images,
    logs,
    processes,
    workers,
)

WORKDIR, REPLICAS, MOMENT, NUMBER, *more = sys.argv[1:]
SIGNAL, SEED = [*more, *["SIGKILL", "3"][len(more) :]]


def load(name, split, **kwargs):
    count = {"train": 200, "test": 70}[split]
    return data.load_arrays(name, split, **kwargs).take(count)


def interrupt():
    os.kill(os.getpid(), signal.Signals[SIGNAL])


class InterruptAt:
    """Sends the signal in the middle of the n-th call of a function."""

    def __init__(self, module, name, before):
        self.run, self.left = getattr(module, name), int(NUMBER)
        self.before = before
        setattr(module, name, self)

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if not self.before:
            result = self.run(*args, **kwargs)
        if not self.left:
            interrupt()
        return self.run(*args, **kwargs) if self.before else result


def half(file, **arrays):
    """Replaces np.savez."""
    global calls
    calls += 1
    if calls < int(NUMBER):
        return savez(file, **arrays)
    whole = io.BytesIO()
    savez(whole, **arrays)
    file.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    interrupt()


MOMENTS = {
    "before a step is counted": (errors, "check_loss", True),
    "between row and checkpoint": (logs, "write_rows", False),
    "in a test": (evaluation, "loss_and_error", True),
}
images.load_arrays = load
logs.plot_curves = lambda *args, **kwargs: None
workers.START_SECONDS = 10
processes.SHARED_SECONDS = 1
if MOMENT in MOMENTS:
    InterruptAt(*MOMENTS[MOMENT])
if MOMENT == "inside a checkpoint's write":
    savez, calls = checkpoints.np.savez, 0
    checkpoints.np.savez = half
training.train(
    training.Experiment(
        model="PreActResNet20",
        dataset="fake",
        epochs=3,
        batch_size=52,  # an even number for each worker: mixup takes pairs
        recipe="modern",
        ema=0.8,
        options={
            "depth": None,
            "units_per_stage": (1,),
            "widths": (8,),
            "shortcut": "dropout",
            # On JAX it must be.
            "batch_normalization": "synchronized"
            if keras.backend.backend() == "jax"
            else "per_replica",
        },
        seed=int(SEED),
        replicas=int(REPLICAS) if int(REPLICAS) > 1 else None,
    ),
    WORKDIR,
    checkpoint_steps=3,
)
