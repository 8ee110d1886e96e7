"""Compares the memory of a keras-tuner search, with ours and Keras's SGD.

benchmark_search_memory.py --trials=20

Both train the same small networks for one epoch each, in one process. It prints
the resident memory after the third and the last trial.
"""

import subprocess
import sys
import tempfile

import keras
import keras_tuner
from absl import app, flags

from keras_resnetv2 import data, training, tuning

_TRIALS = flags.DEFINE_integer("trials", 20, "Number of trials, at least 4.")
_OPTIMIZER = flags.DEFINE_enum(
    "optimizer", None, ["ours", "keras"], "Measure only this optimizer."
)


class _KerasSGD(tuning.ResNetV2HyperModel):
    """The same networks, data and steps under Keras's optimizer."""

    def fit(self, hp, model, x, **kwargs):
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=1e-4),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        images = x.images.astype("float32") / 255
        model.fit(images, x.labels, batch_size=64, verbose=0)
        return {"val_error": 0.0}


class _Measured(keras_tuner.RandomSearch):
    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        with open("/proc/self/status") as file:
            [line] = [line for line in file if line.startswith("VmRSS")]
        self.mebibytes = [
            *getattr(self, "mebibytes", []),
            int(line.split()[1]) // 1024,
        ]


def main(argv):
    """Runs both, each in a separate process."""
    if _OPTIMIZER.value is None:
        for optimizer in ("keras", "ours"):
            subprocess.run([*sys.orig_argv, f"--optimizer={optimizer}"])
        return
    hypermodel = {"ours": tuning.ResNetV2HyperModel, "keras": _KerasSGD}[
        _OPTIMIZER.value
    ]
    base = training.Experiment(
        "PreActResNet20", "cifar10_sample", epochs=1, batch_size=64
    )
    space = {"depth": (8, 20), "width": (8, 16), "learning_rate": (0.01, 0.3)}
    train = data.load_arrays("cifar10_sample").take(192)
    with tempfile.TemporaryDirectory() as directory:
        tuner = _Measured(
            hypermodel(base, space, search=()),
            objective=keras_tuner.Objective("val_error", "min"),
            max_trials=_TRIALS.value,
            directory=directory,
            seed=1,
        )
        tuner.oracle.verbose = 0
        tuner.search(train, validation_data=train.take(64))
    third, last = tuner.mebibytes[2], tuner.mebibytes[-1]
    print(
        f"{_OPTIMIZER.value}: {third:,} MiB after the third trial, {last:,} "
        f"after trial {len(tuner.mebibytes)}: {last / third:.2f} times"
    )


if __name__ == "__main__":
    app.run(main)
