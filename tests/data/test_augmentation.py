import keras
import numpy as np
import pytest

from keras_resnetv2.data import augmentation
from keras_resnetv2.data.augmentation import AUGMENTATIONS, Draws

SHAPES = [(32, 32, 3), (24, 40, 3), (7, 16, 2)]


def batch(shape, count=64):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, *shape)).astype(np.float32)


def one_by_one(images, draws):
    """The same, written as the paper says it."""
    down, right = images.shape[1] // 8, images.shape[2] // 8
    height, width = images.shape[1:3]
    out = []
    for image, (top, left), flip in zip(images, *draws):
        padded = np.pad(image, ((down, down), (right, right), (0, 0)))
        crop = padded[top : top + height, left : left + width]
        out.append(crop[:, ::-1] if flip else crop)
    return np.stack(out)


def tensorflow():
    tf = pytest.importorskip("tensorflow")
    return tf.experimental.numpy, tf.constant


MODULES = {
    "numpy": lambda: (np, np.asarray),
    "tensorflow": tensorflow,
    "keras": lambda: (keras.ops, keras.ops.convert_to_tensor),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("module", MODULES)
def test_equals_a_loop_over_images_to_the_bit(module, shape):
    xp, array = MODULES[module]()
    images = batch(shape)
    draws = augmentation.draw(np.random.default_rng(1), len(images), shape)
    out = augmentation.apply(xp, array(images), Draws(*map(array, draws)))
    out = keras.ops.convert_to_numpy(out)
    assert out.dtype == images.dtype
    np.testing.assert_array_equal(out, one_by_one(images, draws))


def test_the_middle_crop_is_the_image():
    images = batch((32, 32, 3), 2)
    offsets = np.full((2, 2), 4, np.int32)
    draws = Draws(offsets, np.array([False, True]))
    out = augmentation.apply(np, images, draws)
    np.testing.assert_array_equal(out[0], images[0])
    np.testing.assert_array_equal(out[1], images[1, :, ::-1])


def numpy_draws(count, shape):
    return augmentation.draw(np.random.default_rng(5), count, shape)


def tensorflow_draws(count, shape):
    pytest.importorskip("tensorflow")
    drawn = augmentation.draw_tf([5, 7], count, shape)
    return Draws(*(part.numpy() for part in drawn))


@pytest.mark.parametrize("draw", [numpy_draws, tensorflow_draws])
def test_draws_are_uniform(draw):
    count = 20_000
    offsets, flips = draw(count, (32, 16, 3))
    assert offsets.dtype == np.int32
    assert flips.dtype == np.bool_
    for axis, choices in enumerate((9, 5)):
        seen = np.bincount(offsets[:, axis], minlength=choices)
        assert len(seen) == choices
        # 5 standard errors.
        error = 5 * np.sqrt(count / choices)
        np.testing.assert_allclose(seen, count / choices, atol=error)
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / np.sqrt(count)
    together = np.corrcoef(np.c_[offsets, flips].T)
    assert np.abs(together - np.eye(3)).max() < 5 / np.sqrt(count)


def test_tensorflow_draws_follow_the_seed():
    tf = pytest.importorskip("tensorflow")

    def draws(seed):
        return augmentation.draw_tf(tf.constant(seed), 100, (32, 32, 3))

    same = [np.array_equal(*both) for both in zip(draws([1, 2]), draws([1, 2]))]
    assert all(same)
    for other in ([1, 3], [2, 2]):
        changed = zip(draws([1, 2]), draws(other))
        assert not any(np.array_equal(*both) for both in changed)


def test_none_changes_nothing():
    images = batch((32, 32, 3), 2)
    none = AUGMENTATIONS["none"]
    for draw, source in (
        (none.draw, np.random.default_rng(0)),
        (none.draw_tf, [0, 0]),
    ):
        draws = draw(source, len(images), images.shape)
        assert none.apply(np, images, draws) is images
