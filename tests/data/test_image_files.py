"""Every format and every orientation, on every path."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_resnetv2.data import evaluation_batches, load_arrays, open_images
from keras_resnetv2.data.image_files import FORMATS, read_image, suffixes

y, x = np.mgrid[0:48, 0:64]
RGB = np.stack([x * 4, y * 5, 255 - x * 4], -1).astype(np.uint8)
PICTURE = Image.fromarray(RGB)
ALPHA = np.dstack([RGB, np.where(x < 32, 0, 255)]).astype(np.uint8)
ANIMATED = {"save_all": True, "append_images": [Image.fromarray(255 - RGB)]}
# By the file's name: a picture, and how it is saved.
FILES = {
    "rgb.png": (PICTURE, {}),
    "rgb.jpg": (PICTURE, {"quality": 95}),
    "progressive.jpg": (PICTURE, {"progressive": True}),
    "cmyk.jpg": (PICTURE.convert("CMYK"), {}),
    "gray.jpg": (PICTURE.convert("L"), {}),
    "rgb.bmp": (PICTURE, {}),
    "rgb.webp": (PICTURE, {"lossless": True}),
    "lossy.webp": (PICTURE, {}),
    "rgb.tif": (PICTURE, {}),
    "palette.gif": (PICTURE.quantize(64), {}),
    "palette.bmp": (PICTURE.quantize(64), {}),
    "palette.png": (PICTURE.quantize(64), {"transparency": 3}),
    "one_bit.bmp": (PICTURE.convert("1"), {}),
    "one_bit.png": (PICTURE.convert("1"), {}),
    "gray_alpha.png": (PICTURE.convert("LA"), {}),
    "alpha.png": (Image.fromarray(ALPHA), {}),
    "alpha.webp": (Image.fromarray(ALPHA), {"lossless": True}),
    "animated.webp": (PICTURE, {"lossless": True, **ANIMATED}),
    "animated.png": (PICTURE, ANIMATED),
    "tiff_called.jpg": (PICTURE, {"format": "TIFF"}),
    "gif_called.png": (PICTURE.quantize(64), {"format": "GIF"}),
    "rgb.ppm": (PICTURE, {}),
    "rgb.jp2": (PICTURE, {}),
}
if ".avif" in suffixes():  # not in every Pillow
    FILES["rgb.avif"] = (PICTURE, {})


def exif(orientation):
    made = Image.Exif()
    made[0x010F] = "Maker"
    made[0x0112] = orientation
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every file, and every orientation in the formats that have it."""
    root = tmp_path_factory.mktemp("formats")
    (root / "b").mkdir()
    (root / "a").mkdir()
    PICTURE.save(root / "b" / "rgb.png")
    for name, (picture, options) in FILES.items():
        picture.save(root / "a" / name, **options)
    for suffix in ("jpg", "png", "webp", "tif"):
        options = {"lossless": True} if suffix == "webp" else {}
        for value in range(1, 9):
            path = root / "a" / f"turned_{value}.{suffix}"
            PICTURE.save(path, exif=exif(value), **options)
    return root


def test_pillow_s_own_view_of_every_file(folder):
    images = open_images(folder)
    for place, path in enumerate(images.paths):
        with Image.open(path) as image:
            expected = ImageOps.exif_transpose(image).convert("RGB")
        np.testing.assert_array_equal(images.read(place), expected, path)


def test_both_streams_and_memory_agree(folder):
    pytest.importorskip("tensorflow")
    images = open_images(folder)
    size = {"image_size": 40, "resize": 40}
    options = {"batch_size": len(images), "standardization": "imagenet", **size}
    streams = [
        next(iter(evaluation_batches(images, framework=name, **options)))[0]
        for name in ("tensorflow", "numpy")
    ]
    ours, theirs = (np.asarray(stream) for stream in streams)
    levels = np.abs(ours - theirs).max(axis=(1, 2, 3)) * 255 * 0.229
    for path, off in zip(images.paths, levels, strict=True):
        assert off < 1.05, path
    held = load_arrays(folder, image_size=40).images
    mean = np.array([0.485, 0.456, 0.406]) * 255
    std = np.array([0.229, 0.224, 0.225]) * 255
    off = np.abs(np.round(theirs * std + mean) - held).max(axis=(1, 2, 3))
    assert off.max() <= 1


def test_tensorflow_says_why_a_file_cannot_be_read(tmp_path):
    tf = pytest.importorskip("tensorflow")
    file = io.BytesIO()
    PICTURE.save(file, "JPEG")
    for name, content in (
        ("cut.jpg", file.getvalue()[:900]),
        ("empty.png", b""),
    ):
        folder = tmp_path / name / "train" / "a"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        images = open_images(tmp_path / name)
        batches = evaluation_batches(
            images, batch_size=1, standardization="imagenet", image_size=8
        )
        with pytest.raises(ValueError, match="cannot be read") as reason:
            images.read(0)
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            next(iter(batches))
        assert str(reason.value) in error.value.message


def test_damaged_exif_data_count_as_none():
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(
        read_image(io.BytesIO(file.getvalue())),
        Image.open(file).convert("RGB"),
    )


def test_the_formats_have_suffixes():
    Image.init()
    known = {Image.registered_extensions()[suffix] for suffix in suffixes()}
    for name, row in FORMATS.items():
        if name != "AVIF":  # not in every Pillow
            assert known & set(row.pillow), name


@pytest.mark.parametrize("shape", [(1, 6000), (6000, 1), (3, 100)])
def test_the_memory_follows_the_output(tmp_path, shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "x.png")
    tracemalloc.start()
    image = load_arrays(tmp_path, image_size=224).images[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24
    middle = pixels.reshape(-1, 3)[len(pixels.reshape(-1, 3)) // 2 - 1 :][:2]
    if 1 in shape:
        low, high = np.sort(middle, axis=0)
        assert ((image[100:124, 100:124] >= low - 1).all()) and (
            image[100:124, 100:124] <= high + 1
        ).all()
