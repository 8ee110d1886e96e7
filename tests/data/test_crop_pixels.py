import io

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.data import crop_pixels, crops
from keras_resnetv2.data.crops import Crop
from keras_resnetv2.data.image_folder import read_image

SIZE = 64
RULES = [
    crops.SCALE,
    crops.SCALE_ASPECT_RATIO,
    crops.center(),
    crops.center(64),
]


def save(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def encoded(photograph):
    part = photograph.crop((100, 50, 290, 200))
    small = part.resize((40, 30))
    return {
        "jpeg": save(part, "JPEG", quality=92),
        "jpeg_444": save(part, "JPEG", subsampling=0),
        "progressive": save(part, "JPEG", progressive=True),
        "grey_jpeg": save(part.convert("L"), "JPEG"),
        "cmyk_jpeg": save(part.convert("CMYK"), "JPEG"),
        "small_jpeg": save(small, "JPEG"),
        "png": save(part, "PNG"),
        "grey_png": save(part.convert("L"), "PNG"),
        "palette_png": save(part.quantize(), "PNG"),
        "transparent_png": save(part.convert("RGBA"), "PNG"),
        "bmp": save(part, "BMP"),
        "webp": save(part, "WEBP"),
    }


KINDS = (
    "jpeg jpeg_444 progressive grey_jpeg cmyk_jpeg small_jpeg png grey_png "
    "palette_png transparent_png bmp webp"
).split()


def cut_by_tensorflow(encoded, crop):
    tf = pytest.importorskip("tensorflow")
    # float64, as the rules have it.
    crop = Crop(*(tf.constant(np.asarray(part)) for part in crop))
    found = crop_pixels.decode_and_cut_tf(
        tf.constant(encoded), lambda height, width: crop, SIZE
    )
    assert found.shape == (SIZE, SIZE, 3)
    assert found.dtype == tf.float32
    return found.numpy()


def some_crops(image):
    rng = np.random.default_rng(0)
    shape = map(float, image.shape[:2])
    height, width = shape
    for rule in RULES:
        for _ in range(5 if rule.draws else 1):
            draws = rng.random(rule.draws)
            yield rule.choose(np, draws, height, width, SIZE)
    # Scaled up, a whole pixel beside the crop counts.
    for begin in range(1, 9):
        yield Crop(float(begin), float(begin), 16.0, 17.0, False)


@pytest.mark.parametrize("kind", KINDS)
def test_tensorflow_agrees_with_pillow(encoded, kind):
    image = read_image(io.BytesIO(encoded[kind]))
    for crop in some_crops(image):
        crop = crop._replace(flip=bool(crop.flip))
        found = cut_by_tensorflow(encoded[kind], crop)
        expected = crop_pixels.cut(image, crop, SIZE)
        assert expected.shape == found.shape
        # Pillow rounds twice, after the rows and after the columns.
        np.testing.assert_allclose(found, expected, atol=1.01)
        assert abs((found - expected).mean()) < 0.1


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "cmyk_jpeg"])
def test_a_partly_decoded_jpeg_gives_the_same(encoded, kind):
    image = read_image(io.BytesIO(encoded[kind]))
    whole = save(Image.fromarray(image), "PNG")
    for crop in some_crops(image):
        crop = crop._replace(flip=bool(crop.flip))
        part = cut_by_tensorflow(encoded[kind], crop)
        # float32's rounding of the places; missing neighbours would be 1 off.
        np.testing.assert_allclose(
            part, cut_by_tensorflow(whole, crop), atol=0.02
        )


def test_rows_one_by_one():
    """The triangle filter as its definition has it."""
    pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (150, 190, 3), dtype=np.uint8)
    crop = Crop(10.25, 20.5, 96.0, 128.0, False)

    def weights(begin, length, side):
        step = length / SIZE
        places = begin + (np.arange(SIZE) + 0.5) * step
        away = np.abs(np.arange(side) + 0.5 - places[:, None])
        found = np.maximum(1 - away / max(step, 1), 0)
        return found / found.sum(1, keepdims=True)

    expected = np.einsum(
        "yh,hwc,xw->yxc",
        weights(crop.top, crop.height, 150),
        image,
        weights(crop.left, crop.width, 190),
    )
    png = save(Image.fromarray(image), "PNG")
    found = cut_by_tensorflow(png, crop)
    np.testing.assert_allclose(found, expected, atol=0.02)
    flipped = cut_by_tensorflow(png, crop._replace(flip=True))
    np.testing.assert_array_equal(flipped, found[:, ::-1])
    np.testing.assert_allclose(
        crop_pixels.cut(image, crop, SIZE), expected, atol=1.01
    )


def test_the_same_size_changes_nothing():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    crop = Crop(0.0, 0.0, float(SIZE), float(SIZE), False)
    np.testing.assert_array_equal(crop_pixels.cut(image, crop, SIZE), image)
    png = save(Image.fromarray(image), "PNG")
    np.testing.assert_allclose(cut_by_tensorflow(png, crop), image, atol=1e-3)
