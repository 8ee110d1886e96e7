import numpy as np
import pytest

from keras_resnetv2.data import ImageData

NAMES = ("a", "b")


def images(count=3, dtype=np.uint8, channels=3):
    return np.zeros((count, 8, 6, channels), dtype)


def labels(values=(0, 1, 1), dtype=np.int32):
    return np.array(values, dtype)


def test_says_what_it_holds():
    data = ImageData(images(), labels(), ["a", "b"])
    assert len(data) == 3
    assert data.classes == 2
    assert data.image_shape == (8, 6, 3)
    assert data.class_names == NAMES


def test_take_keeps_the_first():
    data = ImageData(images(), labels(), NAMES).take(2)
    assert data.labels.tolist() == [0, 1]
    assert len(data.images) == 2


@pytest.mark.parametrize("count", [0, 4, -1])
def test_take_refuses_what_is_not_there(count):
    with pytest.raises(ValueError, match="1..3"):
        ImageData(images(), labels(), NAMES).take(count)


@pytest.mark.parametrize(
    "parts, message",
    [
        ((images(dtype=np.float32), labels(), NAMES), "images must be uint8"),
        ((images()[0], labels(), NAMES), "images must be uint8"),
        (([1], labels(), NAMES), "images must be a NumPy array"),
        ((images(channels=1), labels(), NAMES), r"shape \(N, .* width, 3\)"),
        ((images(0), labels(()), NAMES), "at least one image"),
        ((images(), labels(dtype=np.int64), NAMES), "labels must be int32"),
        ((images(), labels((0, 1)), NAMES), "3 images and 2 labels"),
        ((images(), labels((0, 1, 2)), NAMES), "0..1"),
        ((images(), labels((0, -1, 1)), NAMES), "-1"),
    ],
)
def test_refuses_parts_that_do_not_fit(parts, message):
    with pytest.raises(ValueError, match=message):
        ImageData(*parts)
