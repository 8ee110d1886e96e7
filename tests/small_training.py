"""The training that most tests of training run: seconds, not minutes."""

from keras_resnetv2 import data
from keras_resnetv2.training import Experiment, images


def experiment(**kwargs):
    """A net of 8 layers on `fake`, which the fixture small_fake cuts."""
    return Experiment(
        **{
            "model": "PreActResNet20",
            "dataset": "fake",
            "options": {"depth": 8},
            "epochs": 3,
            "batch_size": 64,
            **kwargs,
        }
    )


def cut_fake(monkeypatch):
    """Makes trainings load 200 and 70 images of `fake`; returns the loader."""

    def load(name, split="train", **kwargs):
        count = {"train": 200, "test": 70}[split]
        loaded = data.load_arrays(name, split, **kwargs)
        return loaded.take(min(count, len(loaded)))

    monkeypatch.setattr(images, "load_arrays", load)
    return load
