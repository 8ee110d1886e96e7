import warnings

import keras
import numpy as np
import pytest

from keras_resnetv2 import PreActResNet20, preprocess_input
from keras_resnetv2.data import (
    STANDARDIZATIONS,
    Standardization,
    load_arrays,
)
from keras_resnetv2.training.trained import Trained


@pytest.fixture(scope="module")
def images():
    return load_arrays("cifar10_sample").images[:4]


@pytest.fixture(scope="module")
def published():
    return PreActResNet20(weights="cifar10")


def test_it_is_what_the_training_did(images, published):
    constant = STANDARDIZATIONS["cifar10"]
    expected = (images.astype(np.float32) - constant.mean) / constant.std
    trained = Trained(published, None, None, 0)
    for name in ("cifar10", constant, published, trained):
        np.testing.assert_array_equal(preprocess_input(images, name), expected)
    one = preprocess_input(images[0], "cifar10")
    np.testing.assert_array_equal(one, expected[0])
    for same in (images.astype(np.float64), images.tolist()):
        found = preprocess_input(same, "cifar10")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    own = Standardization.from_images(images)
    np.testing.assert_array_equal(preprocess_input(images, own), own(images))


@pytest.mark.parametrize(
    "shape, dtype, standardization, message",
    [
        ((32, 32), np.uint8, "cifar10", "one image"),
        ((1, 2, 32, 32, 3), np.uint8, "cifar10", "one image"),
        ((2, 32, 32, 1), np.uint8, "cifar10", "do not fit"),
        ((2, 3, 32, 32), np.uint8, "cifar10", "do not fit"),
        ((32, 32, 3), np.bool_, "cifar10", "bool"),
        ((32, 32, 3), np.str_, "cifar10", "uint8 or float"),
        ((32, 32, 3), np.uint8, "cifar", "cifar10.*imagenet.*'cifar'"),
        ((32, 32, 3), np.uint8, 1.5, "a network.*1.5"),
    ],
)
def test_preprocess_input_refuses(shape, dtype, standardization, message):
    with pytest.raises(ValueError, match=message):
        preprocess_input(np.zeros(shape, dtype), standardization)


def test_no_network_is_guessed(images):
    with pytest.raises(ValueError, match=r"preprocess_input\(images, model\)"):
        preprocess_input(images)
    with pytest.raises(ValueError, match="'mine' does not know.*'cifar10'"):
        preprocess_input(images, PreActResNet20(name="mine"))


def test_what_is_no_image_is_named(images, published):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(images)
    with pytest.raises(ValueError, match="Dataset.*dataset.map"):
        preprocess_input(dataset, published)
    with pytest.raises(ValueError, match="a ResNet. Give the images first"):
        preprocess_input(published, images)
    with pytest.raises(ValueError, match="received array") as caught:
        preprocess_input(images, images)
    assert len(str(caught.value)) < 250


def test_per_pixel_mean_refuses_other_sizes(images):
    own = Standardization.from_images(images, "per_pixel_mean")
    with pytest.raises(ValueError, match="do not fit"):
        preprocess_input(images[:, :28, :28], own)


@pytest.mark.parametrize("scale, shift", [(1 / 255, 0), (1 / 64, -2)])
def test_scaled_images_are_warned_of(images, scale, shift):
    scaled = images.astype(np.float32) * scale + shift
    with pytest.warns(UserWarning, match="0 to 255"):
        preprocess_input(scaled, "cifar10")


def test_pixels_are_not_warned_of(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess_input(images.astype(np.float32), "cifar10")
        preprocess_input(np.zeros((32, 32, 3), np.float32), "cifar10")
        preprocess_input(np.ones((32, 32, 3), np.uint8), "cifar10")


def tensors_of(images):
    """Of every framework that there is."""
    import tensorflow as tf

    yield tf.constant(images)
    yield tf.constant(images, tf.bfloat16)
    yield tf.Variable(images.astype("float32"))
    yield keras.Variable(images)
    jax = pytest.importorskip("jax")
    yield jax.numpy.asarray(images)


# float32's own roundings: JAX multiplies by 1 / std.
def alike(found, expected):
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)


def test_tensors_stay_tensors(images):
    expected = preprocess_input(images, "cifar10")
    for tensor in tensors_of(images):
        found = preprocess_input(tensor, "cifar10")
        assert not isinstance(found, np.ndarray)
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
        alike(found, preprocess_input(np.asarray(tensor, "float32"), "cifar10"))
        alike(STANDARDIZATIONS["cifar10"](tensor), np.asarray(found))
    jax = pytest.importorskip("jax")
    compiled = jax.jit(lambda x: preprocess_input(x, "cifar10"))
    alike(compiled(images), expected)
    with pytest.raises(ValueError, match="do not fit"):
        preprocess_input(jax.numpy.zeros((2, 32, 32, 1)), "cifar10")


def test_scaled_tensors_are_warned_of(images):
    for tensor in tensors_of(images / np.float32(255)):
        with pytest.warns(UserWarning, match="0 to 255"):
            preprocess_input(tensor, "cifar10")
    with pytest.raises(ValueError, match="uint8 or float"):
        preprocess_input(keras.ops.zeros((2, 2, 3), "bool"), "cifar10")


@pytest.mark.parity
def test_torch_s_tensors_stay_on_their_device(images):
    torch = pytest.importorskip("torch")
    found = preprocess_input(torch.tensor(images), "cifar10")
    assert isinstance(found, torch.Tensor) and found.dtype == torch.float32
    alike(found, preprocess_input(images, "cifar10"))
    scaled = torch.rand((2, 2, 3), dtype=torch.bfloat16, requires_grad=True)
    with pytest.warns(UserWarning, match="0 to 255"):
        preprocess_input(scaled, "cifar10")


def test_in_dataset_map(images):
    tf = pytest.importorskip("tensorflow")
    expected = preprocess_input(images, "cifar10")
    of_arrays = tf.data.Dataset.from_tensor_slices(images)
    # decode_image gives tensors of unknown rank.
    of_files = of_arrays.map(tf.io.encode_png).map(tf.io.decode_image)
    for dataset in (of_arrays, of_arrays.batch(2), of_files):
        found = dataset.map(lambda x: preprocess_input(x, "cifar10"))
        found = np.concatenate([np.atleast_1d(part) for part in found])
        alike(found.reshape(expected.shape), expected)
    with pytest.raises(ValueError, match="do not fit"):
        of_arrays.map(lambda x: preprocess_input(x[..., :2], "cifar10"))


def test_in_functional_models(images, published, tmp_path):
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    answers = published(preprocess_input(pixels, published))
    whole = keras.Model(pixels, answers)
    expected = published.predict(preprocess_input(images, published))
    alike(whole.predict(images), expected)
    whole.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    alike(loaded.predict(images), expected)
    as_layer = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Lambda(lambda x: preprocess_input(x, "cifar10")),
            published,
        ]
    )
    alike(as_layer.predict(images), expected)
    with pytest.raises(ValueError, match="do not fit"):
        preprocess_input(keras.Input((32, 32, 1)), "cifar10")
