"""Which images a training reads, and which it holds out."""

import numpy as np
import pytest
from small_training import experiment

from keras_resnetv2 import data
from keras_resnetv2.training import Experiment, images


@pytest.fixture
def loaded(small_fake, monkeypatch):
    """The splits of the cut `fake` that were loaded, in their order."""
    splits = []

    def load(name, split, **kwargs):
        splits.append(split)
        return small_fake(name, split, **kwargs)

    monkeypatch.setattr(images, "load_arrays", load)
    return splits


def assert_same(one, other):
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.labels, other.labels)


def test_nothing_held_out(loaded, small_fake):
    train, test = images.load_training(experiment())
    assert loaded == ["train", "test"]
    assert_same(train, small_fake("fake", "train"))
    assert_same(test, small_fake("fake", "test"))
    for split, whole in (("train", train), ("test", test)):
        assert_same(images.load_split(experiment(), split), whole)
    with pytest.raises(ValueError, match="holds no images out.*instance 0.1"):
        images.load_split(experiment(), "held_out")


def test_held_out_images_take_the_test_sets_place(loaded, small_fake):
    asked = experiment(held_out=0.25)
    rest, held_out = images.load_training(asked)
    assert loaded == ["train"]  # once, and the test set never
    expected = data.hold_out(small_fake("fake", "train"), 0.25)
    assert_same(rest, expected[0])
    assert_same(held_out, expected[1])
    assert_same(images.load_split(asked, "train"), rest)
    assert_same(images.load_split(asked, "held_out"), held_out)
    test = images.load_split(asked, "test")
    assert_same(test, small_fake("fake", "test"))


def test_streamed_images_are_held_out(imagenet_dir):
    asked = Experiment(
        model="ResNet18V2",
        dataset="imagenet2012",
        recipe="imagenet",
        held_out=0.2,
    )
    rest, held_out = images.load_training(asked, imagenet_dir)
    assert (len(rest), len(held_out)) == (24, 6)
    assert rest.split == held_out.split == "train"
    assert len(images.load_split(asked, "test", imagenet_dir)) == 11


def test_unknown_split():
    with pytest.raises(ValueError, match="'validation'.*'test', 'held_out'"):
        images.load_split(experiment(), "validation")


def test_small_data_go_to_the_accelerator_of_jax(small_fake, monkeypatch):
    in_memory = small_fake("fake", "test")
    monkeypatch.setattr(images.keras.backend, "backend", lambda: "jax")
    assert images.framework(in_memory) == "numpy"
    monkeypatch.setattr(images, "has_accelerator", lambda: True)
    assert images.framework(in_memory) == "device"
    monkeypatch.setattr(images, "_DEVICE_BYTES", in_memory.images.nbytes - 1)
    assert images.framework(in_memory) == "numpy"
    monkeypatch.setattr(images.keras.backend, "backend", lambda: "tensorflow")
    assert images.framework(in_memory) == "tensorflow"
