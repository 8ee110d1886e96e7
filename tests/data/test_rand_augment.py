"""Pillow is the witness: it has most of the operations, in its own code."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from keras_resnetv2.data import cifar10_sample, rand_augment
from keras_resnetv2.data.rand_augment import OPERATIONS, RandDraws

COUNT, MAGNITUDE = 40, 13
LEVEL = MAGNITUDE / 30


@pytest.fixture(scope="module")
def images():
    return cifar10_sample.load("train").images[:COUNT]


def affine(matrix):
    def move(image, sign):
        a, b, c, d, e, f = matrix(sign * LEVEL, image.width, image.height)
        # Pillow's origin is a corner.
        x, y = image.width / 2, image.height / 2
        data = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
        gray = (128, 128, 128)
        return image.transform(
            image.size, Image.Transform.AFFINE, data, fillcolor=gray
        )

    return move


def rotated(v, width, height):
    angle = np.radians(30 * v)
    return np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle), 0


def enhanced(kind):
    return lambda image, sign: kind(image).enhance(1 + 0.9 * sign * LEVEL)


BY_PILLOW = {
    "identity": lambda image, sign: image,
    "shear_x": affine(lambda v, width, height: (1, 0.3 * v, 0, 0, 1, 0)),
    "shear_y": affine(lambda v, width, height: (1, 0, 0, 0.3 * v, 1, 0)),
    "translate_x": affine(
        lambda v, width, height: (1, 0, 150 / 331 * v * width, 0, 1, 0)
    ),
    "translate_y": affine(
        lambda v, width, height: (1, 0, 0, 0, 1, 150 / 331 * v * height)
    ),
    "rotate": affine(rotated),
    "brightness": enhanced(ImageEnhance.Brightness),
    "color": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "posterize": lambda image, sign: ImageOps.posterize(image, 6),
    "solarize": lambda image, sign: ImageOps.solarize(image, 145),
    "autocontrast": lambda image, sign: ImageOps.autocontrast(image),
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_pillows(images, name, sign):
    number = list(OPERATIONS).index(name)
    draws = RandDraws(
        # The second one changes nothing.
        np.array([[number] * COUNT, [0] * COUNT], "int32"),
        np.full((2, COUNT), sign, "float32"),
    )
    found = rand_augment.apply(np, images, MAGNITUDE, draws)
    assert found.dtype == np.float32
    expected = [
        np.asarray(BY_PILLOW[name](Image.fromarray(image), sign))
        for image in images
    ]
    off = np.abs(found - np.stack(expected).astype("float32")).max(axis=-1)
    # Pillow cuts off what is here rounded; a pixel of a moved image may be the
    # neighbour's. The gray of Pillow's brightness and contrast is rounded, too.
    assert (off > 2).mean() < 0.002
    if name != "identity":
        assert np.abs(found - images).mean() > 0.5


@pytest.mark.parametrize("module", ["tensorflow", "keras"])
def test_array_modules_agree_to_the_bit(images, module):
    drawn = rand_augment.draw(np.random.default_rng(3), COUNT)
    assert len(np.unique(drawn.operation)) > 10
    expected = rand_augment.apply(np, images, MAGNITUDE, drawn)
    convert = keras.ops.convert_to_tensor

    def apply(given, drawn):
        xp = keras.ops
        if module == "tensorflow":
            xp = tf.experimental.numpy
        return rand_augment.apply(xp, given, MAGNITUDE, drawn)

    if module == "tensorflow":
        tf = pytest.importorskip("tensorflow")
        apply = tf.function(apply, autograph=False)
    found = apply(convert(images), RandDraws(*map(convert, drawn)))
    np.testing.assert_array_equal(found, expected)


def in_numpy():
    return rand_augment.draw(np.random.default_rng(0), 13_000)


def in_tensorflow():
    tf = pytest.importorskip("tensorflow")
    drawn = rand_augment.draw_tf(tf.constant([0, 1], tf.int64), 13_000)
    return RandDraws(*(np.asarray(part) for part in drawn))


@pytest.mark.parametrize("draw", [in_numpy, in_tensorflow])
def test_operations_are_equally_likely(draw):
    operation, sign = draw()
    counts = np.bincount(operation.ravel(), minlength=len(OPERATIONS))
    assert counts.min() > 1800 and counts.max() < 2200  # 2,000 expected
    assert set(np.unique(sign)) == {-1, 1}
    assert abs(sign.mean()) < 0.03
    # The two of an image are independent.
    assert (operation[0] == operation[1]).mean() == pytest.approx(
        1 / len(OPERATIONS), abs=0.01
    )


def test_a_tiny_image_has_no_inner_pixels():
    given = np.full((COUNT, 2, 2, 3), 7, "uint8")
    drawn = rand_augment.draw(np.random.default_rng(3), COUNT)
    found = rand_augment.apply(np, given, MAGNITUDE, drawn)
    assert found.shape == given.shape and np.isfinite(found).all()
