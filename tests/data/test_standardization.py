import json
import warnings

import numpy as np
import pytest

from keras_resnetv2.data import (
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    Standardization,
    load_arrays,
    preprocess_input,
)


@pytest.fixture(scope="module")
def images():
    return load_arrays("cifar10_sample").images


def test_per_channel_gives_mean_0_and_deviation_1(images):
    out = Standardization.from_images(images, "per_channel")(images)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.mean((0, 1, 2), np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(out.std((0, 1, 2), np.float64), 1, atol=1e-6)


def test_per_pixel_mean_subtracts_the_mean_image(images):
    found = Standardization.from_images(images, "per_pixel_mean")
    assert found.mean.shape == (32, 32, 3)
    np.testing.assert_array_equal(found.std, 1)
    np.testing.assert_allclose(
        found.mean, images.mean(0, np.float64), rtol=1e-6
    )


# 1,025 images: one more than a chunk.
@pytest.mark.parametrize("kind", sorted(STANDARDIZATION_KINDS))
def test_chunks_do_not_show(images, kind):
    few = images[:1025]
    found = Standardization.from_images(few, kind)
    axes = {"per_channel": (0, 1, 2), "per_pixel_mean": 0}[kind]
    expected = few.astype(np.float64).mean(axes)
    np.testing.assert_array_equal(found.mean, expected.astype(np.float32))


def test_the_constants_of_cifar10_are_near_the_samples(images):
    found = Standardization.from_images(images)
    constant = STANDARDIZATIONS["cifar10"]
    np.testing.assert_allclose(found.mean, constant.mean, atol=1.5)
    np.testing.assert_allclose(found.std, constant.std, atol=1.5)


@pytest.mark.parametrize("kind", sorted(STANDARDIZATION_KINDS))
def test_json_round_trip_is_exact(images, kind):
    written = Standardization.from_images(images[:100] // 3, kind)
    read = Standardization.from_json(json.loads(json.dumps(written.to_json())))
    assert read == written
    assert hash(read) == hash(written)
    assert read.mean.tobytes() == written.mean.tobytes()


def test_equality():
    one = Standardization([1, 2, 3], [1, 1, 1])
    assert one == Standardization([1, 2, 3], [1, 1, 1])
    assert one != Standardization([1, 2, 3], [1, 1, 2])
    assert one != Standardization([1, 2], [1, 1])
    assert one != "cifar10"


def test_numbers_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        STANDARDIZATIONS["cifar10"].mean[0] = 0


@pytest.mark.parametrize(
    "mean, std, message",
    [
        ([1, 2, 3], [1, 1], "shape"),
        ([[1, 2, 3]], [[1, 1, 1]], "shape"),
        ([1, 2, 3], [1, 0, 1], "larger than 0"),
        ([1, np.nan, 3], [1, 1, 1], "finite"),
    ],
)
def test_refuses_bad_numbers(mean, std, message):
    with pytest.raises(ValueError, match=message):
        Standardization(mean, std)


@pytest.mark.parametrize("value", [{"mean": [1]}, [1, 2], None])
def test_from_json_refuses_other_things(value):
    with pytest.raises(ValueError, match="keys 'mean' and 'std'"):
        Standardization.from_json(value)


def test_from_images_refuses_unknown_kinds_and_ranks(images):
    with pytest.raises(ValueError, match="per_channel.*per_pixel_mean"):
        Standardization.from_images(images, "per_image")
    with pytest.raises(ValueError, match="height, width"):
        Standardization.from_images(images[0])


def test_preprocess_input_is_the_trainings(images):
    constant = STANDARDIZATIONS["cifar10"]
    expected = (images[:4].astype(np.float32) - constant.mean) / constant.std
    np.testing.assert_array_equal(preprocess_input(images[:4]), expected)
    np.testing.assert_array_equal(preprocess_input(images[0]), expected[0])
    floats = images[:4].astype(np.float64)
    np.testing.assert_array_equal(preprocess_input(floats), expected)
    own = Standardization.from_images(images)
    np.testing.assert_array_equal(
        preprocess_input(images[:4], own), own(images[:4])
    )


@pytest.mark.parametrize(
    "shape, dtype, standardization, message",
    [
        ((32, 32), np.uint8, "cifar10", "one image"),
        ((1, 2, 32, 32, 3), np.uint8, "cifar10", "one image"),
        ((2, 32, 32, 1), np.uint8, "cifar10", "do not fit"),
        ((2, 3, 32, 32), np.uint8, "cifar10", "do not fit"),
        ((32, 32, 3), np.bool_, "cifar10", "bool"),
        ((32, 32, 3), np.uint8, "cifar", "cifar10.*imagenet"),
        ((32, 32, 3), np.uint8, None, "cifar10.*imagenet"),
    ],
)
def test_preprocess_input_refuses(shape, dtype, standardization, message):
    with pytest.raises(ValueError, match=message):
        preprocess_input(np.zeros(shape, dtype), standardization)


def test_per_pixel_mean_refuses_other_sizes(images):
    own = Standardization.from_images(images, "per_pixel_mean")
    with pytest.raises(ValueError, match="do not fit"):
        preprocess_input(images[:, :28, :28], own)


@pytest.mark.parametrize("scale, shift", [(1 / 255, 0), (1 / 64, -2)])
def test_scaled_images_are_warned_of(images, scale, shift):
    scaled = images[:2].astype(np.float32) * scale + shift
    with pytest.warns(UserWarning, match="0 to 255"):
        preprocess_input(scaled)


def test_pixels_are_not_warned_of(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess_input(images[:2].astype(np.float32))
        preprocess_input(np.zeros((32, 32, 3), np.float32))
        preprocess_input(np.ones((32, 32, 3), np.uint8))
