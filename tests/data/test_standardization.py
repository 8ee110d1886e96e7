import json

import numpy as np
import pytest

from keras_resnetv2.data import (
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    Standardization,
    load_arrays,
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
