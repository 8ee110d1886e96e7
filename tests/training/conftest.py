import pytest

from keras_resnetv2 import data
from keras_resnetv2.training import images


@pytest.fixture
def small_fake(monkeypatch):
    """The `fake` data, cut to 200 training and 70 test images."""

    def load(name, split="train", **kwargs):
        count = {"train": 200, "test": 70}[split]
        loaded = data.load_arrays(name, split, **kwargs)
        return loaded.take(min(count, len(loaded)))

    monkeypatch.setattr(images, "load_arrays", load)
    return load
