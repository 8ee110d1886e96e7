import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import AUGMENTATIONS, crops
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.data.crops import Crop
from keras_resnetv2.data.resizing import resize_and_crop

# Height and width: usual ones, extremes, smaller than any crop.
SHAPES = [(375, 500), (500, 375), (60, 900), (224, 224), (31, 17), (1, 2)]
RULES = {name: AUGMENTATIONS[name].crop for name in ("scale", "none")}
RULES["scale_aspect_ratio"] = crops.SCALE_ASPECT_RATIO
RULES["center_320"] = crops.center(320)


def choose(rule, draws, shape, size=224):
    return rule.choose(np, draws, *map(float, shape), size)


def many(rule, shape, count=2000, size=224):
    rng = np.random.default_rng(0)
    found = [
        choose(rule, rng.random(rule.draws), shape, size) for _ in range(count)
    ]
    return Crop(*np.array(found).T)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RULES)
def test_crops_lie_in_the_image(name, shape):
    found = many(RULES[name], shape, 300)
    assert (found.top >= 0).all() and (found.left >= 0).all()
    assert (found.height > 0).all() and (found.width > 0).all()
    # To a rounding error.
    assert (found.top + found.height <= shape[0] + 1e-9).all()
    assert (found.left + found.width <= shape[1] + 1e-9).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RULES)
def test_tensorflow_chooses_the_same(name, shape):
    tf = pytest.importorskip("tensorflow")
    tnp = tf.experimental.numpy
    rule = RULES[name]
    rng = np.random.default_rng(0)
    height, width = tf.constant(shape, tf.float64)
    for _ in range(10):
        draws = rng.random(rule.draws)
        found = rule.choose(tnp, tf.constant(draws), height, width, 224)
        np.testing.assert_array_equal(found, choose(rule, draws, shape))


@pytest.mark.parametrize("size", [64, 224, 320])
def test_scale_draws_every_shorter_side_alike(size):
    found = many(crops.SCALE, (375, 500), 20_000, size)
    sides = (size * 375 / found.height).round().astype(int)
    least, most = round(256 * size / 224), round(480 * size / 224)
    seen = np.bincount(sides)[least:]
    assert len(seen) == most - least + 1
    expected = len(sides) / len(seen)
    # 5 standard errors.
    np.testing.assert_allclose(seen, expected, atol=5 * np.sqrt(expected))
    assert abs(found.flip.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(sides))


def test_scale_reaches_every_corner():
    found = many(crops.SCALE, (375, 500))
    for begin, length, side in (
        (found.top, found.height, 375),
        (found.left, found.width, 500),
    ):
        place = begin / (side - length)
        assert place.min() < 0.01 and place.max() > 0.99
        assert abs(place.mean() - 0.5) < 5 * 0.3 / np.sqrt(len(place))


@pytest.mark.parametrize("shape", [(150, 200), (200, 150), (60, 100)])
def test_scale_equals_scaling_then_cropping(photograph, shape):
    rng = np.random.default_rng(0)
    image = photograph.resize(shape[::-1])
    for _ in range(10):
        draws = rng.random(4)
        crop = choose(crops.SCALE, draws, shape, 112)
        # 256..480 at 224 is 128..240 at 112.
        shorter = 128 + int(draws[0] * 113)
        sides = [int(side * shorter / min(shape) + 0.5) for side in shape]
        top, left = (
            int(draw * (side - 112 + 1)) for draw, side in zip(draws[1:], sides)
        )
        # Floats, which Pillow does not round.
        scaled = np.stack(
            [
                channel.convert("F").resize(
                    sides[::-1], Image.Resampling.BILINEAR
                )
                for channel in image.split()
            ],
            axis=-1,
        )
        expected = scaled[top : top + 112, left : left + 112]
        if draws[3] < 0.5:
            expected = expected[:, ::-1]
        found = cut(np.asarray(image), crop, 112)
        # Of bytes, it rounds the rows and then the columns.
        np.testing.assert_allclose(found, expected, atol=1.01)


@pytest.mark.parametrize("shape", [(375, 500), (60, 900), (31, 17)])
def test_scale_aspect_ratio_equals_a_loop_of_tries(shape):
    rng = np.random.default_rng(0)
    fallbacks = 0
    for _ in range(200):
        draws = rng.random(51)
        found = choose(crops.SCALE_ASPECT_RATIO, draws, shape)
        assert found.flip == (draws[0] < 0.5)
        for area, aspect, swap, down, right in draws[1:].reshape(10, 5):
            area = shape[0] * shape[1] * (0.08 + 0.92 * area)
            aspect = 3 / 4 + (4 / 3 - 3 / 4) * aspect
            height = int((area / aspect) ** 0.5 + 0.5)
            width = int((area * aspect) ** 0.5 + 0.5)
            if swap < 0.5:
                height, width = width, height
            if height <= shape[0] and width <= shape[1]:
                top = int(down * (shape[0] - height + 1))
                left = int(right * (shape[1] - width + 1))
                assert found[:4] == (top, left, height, width)
                break
        else:
            fallbacks += 1
            # The centre square, as large as the shorter side.
            side = min(shape)
            np.testing.assert_allclose(found[2:4], side)
            middle = [(length - side) / 2 for length in shape]
            np.testing.assert_allclose(found[:2], middle, atol=0.5)
    assert (fallbacks > 0) == (shape == (60, 900))


@pytest.mark.parametrize(
    "size, resize", [(224, 256), (320, 366), (320, 320), (64, 100)]
)
def test_the_centre_is_that_of_load_arrays(photograph, size, resize):
    image = np.asarray(photograph.resize((500, 375)))
    assert resize in (crops.evaluation_resize(size), 320, 100)
    crop = choose(crops.center(resize), None, (375, 500), size)
    scaled = resize_and_crop(image, resize)
    edge = (resize - size) // 2
    expected = scaled[edge : edge + size, edge : edge + size]
    found = cut(image, crop, size).astype(int)
    # The middle of an odd rest may be a pixel further.
    moved = [
        np.abs(found[:, : size - 1] - expected[:, shift : size - 1 + shift])
        for shift in (0, 1)
    ]
    assert min(part.max() for part in moved) <= 1
