import io
import pathlib
import re

import numpy as np
import picture_files as pictures
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from processes import run_python

from keras_resnetv2.data import crops
from keras_resnetv2.data.crop_pixels import cut
from keras_resnetv2.export.picture_rows import check_pixels, decode_rows

SIZE, RESIZE = 32, 36


def make(size=SIZE, resize=RESIZE, limit=100_000):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def decode(encoded):
        rows = decode_rows(encoded, size=size, resize=resize, pixel_limit=limit)
        return rows.spread(rows.images), rows.valid

    return decode


@pytest.fixture(scope="module")
def decode():
    return make()


def expected(file):
    """By Pillow, with the crop of evaluation."""
    image = pictures.decode(file)
    rule = crops.center(RESIZE)
    return cut(image, rule.choose(np, None, *image.shape[:2], SIZE), SIZE)


PICTURES = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg gray": ("JPEG", "L", {}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg cmyk": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "png gray": ("PNG", "L", {}),
    "png palette": ("PNG", "P", {}),
    "png transparent": ("PNG", "RGBA", {}),
    "png two colours": ("PNG", "1", {}),
    "gif": ("GIF", "RGB", {}),
    "bmp": ("BMP", "RGB", {}),
    "bmp gray": ("BMP", "L", {}),
    "bmp palette": ("BMP", "P", {}),
    "bmp 32 bits": ("BMP", "RGBA", {}),
    "bmp two colours": ("BMP", "1", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp transparent": ("WEBP", "RGBA", {"lossless": True}),
}


def files(width, height):
    return [
        pictures.encode(
            pictures.picture(width, height, i).convert(mode), kind, **options
        )
        for i, (kind, mode, options) in enumerate(PICTURES.values())
    ]


@pytest.mark.parametrize("width, height", [(97, 61), (36, 36), (7, 90), (1, 1)])
def test_pixels_are_those_of_evaluation(decode, width, height):
    given = files(width, height)
    images, valid = decode(given)
    assert valid.numpy().all()
    for name, file, image in zip(PICTURES, given, images.numpy()):
        # Pillow rounds, and turns CMYK around a little differently.
        off = 3 if name == "jpeg cmyk" else 1.001
        assert np.abs(image - expected(file)).max() <= off, name


def animated_webp():
    """TensorFlow 2.21 ends the process over one."""
    image = pictures.picture()
    frames = [image.rotate(90), image.rotate(180)]
    options = {"save_all": True, "append_images": frames}
    return pictures.encode(image, "WEBP", **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_turned_upright(decode, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    given = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = pictures.picture(97, 61)
        given.append(pictures.encode(image, kind, exif=exif, **options))
    images, valid = decode(given)
    assert valid.numpy().all()
    for file, image in zip(given, images.numpy()):
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
        plain = pictures.encode(upright, "PNG")
        assert np.abs(image - expected(plain)).max() <= 1.001


def damaged():
    rng = np.random.default_rng(0)
    for kind in pictures.FORMATS:
        file = pictures.encode(pictures.picture(60, 50), kind)
        for length in (1, 5, 20, 60, len(file) // 2):
            yield f"{kind} of {length} bytes", file[:length]
    for length in (0, 1, 100, 5000):
        yield f"{length} random bytes", rng.bytes(length)
    yield "text", b"This is no picture."
    yield "tiff", pictures.encode(pictures.picture(), "TIFF")
    yield "animated webp", animated_webp()
    yield "large png", pictures.png_header(50_000, 50_000)
    yield "large jpeg", pictures.jpeg_header(50_000, 50_000)
    yield "png with a chunk before its header", pictures.png_with_chunk()
    yield "jpeg of many scans", pictures.jpeg_of_scans(101)
    yield (
        "png over the limit",
        pictures.encode(pictures.picture(400, 251), "PNG"),
    )


def test_rows_stand_alone(decode):
    good = files(50, 40)
    bad = dict(damaged())
    alone, _ = decode(good)
    mixed = [*bad.values(), *good]
    order = np.random.default_rng(1).permutation(len(mixed))
    images, valid = (
        value.numpy()[np.argsort(order)]
        for value in decode([mixed[i] for i in order])
    )
    assert [name for name, ok in zip(bad, valid) if ok] == []
    assert valid[len(bad) :].all()
    np.testing.assert_array_equal(images[len(bad) :], alone)
    assert not images[: len(bad)].any()


def flip_bits(decode, kinds):
    rng = np.random.default_rng(2)
    good = pictures.encode(pictures.picture(), "PNG")
    alone = decode([good])[0][0].numpy()
    for kind in kinds:
        file = np.frombuffer(
            pictures.encode(pictures.picture(60, 50), kind), np.uint8
        )
        flipped = []
        for _ in range(100):
            copy = file.copy()
            place = rng.integers(0, min(len(copy), 400), 3)
            copy[place] = rng.integers(0, 256, 3)
            flipped.append(copy.tobytes())
        images, valid = decode([*flipped, good])
        assert valid[-1]
        np.testing.assert_array_equal(images[-1], alone)


def test_bit_flips_never_fail_the_batch(decode):
    flip_bits(decode, pictures.FORMATS)


# Without TensorFlow's optimizer a row's functions start side by side, and one
# that fails cancels the others.
UNOPTIMIZED = """
import sys
sys.path[:0] = sys.argv[1:]
import tensorflow as tf
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
import test_picture_rows
test_picture_rows.flip_bits(test_picture_rows.make(), ["PNG"] * 30)
"""


def test_functions_of_a_row_never_cancel_each_other():
    tests = pathlib.Path(__file__).parents[1]
    run_python(UNOPTIMIZED, tests, tests / "export")


@pytest.mark.parametrize("rows", [[], [b""], [b"", b"x"]])
def test_no_picture_at_all(decode, rows):
    images, valid = decode(tf.constant(rows, tf.string))
    assert images.shape == (len(rows), SIZE, SIZE, 3)
    assert not valid.numpy().any()


def test_a_picture_of_the_size_comes_as_it_is():
    image = pictures.picture(SIZE, SIZE)
    images, _ = make(resize=SIZE)([pictures.encode(image, "PNG")])
    np.testing.assert_array_equal(images[0], np.asarray(image))


@pytest.fixture(scope="module")
def decode_large():
    return make(limit=10**6)


@pytest.mark.parametrize("size", [(400_000, 1), (1, 400_000)])
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_memory_is_of_the_pixels_not_of_the_sides(decode_large, kind, size):
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the peak of the memory is read from Linux's /proc")

    def megabytes(field):
        return int(re.search(rf"{field}:\s+(\d+)", status.read_text())[1]) / 1e3

    decode_large([pictures.encode(pictures.picture(), kind)])
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is now
    before = megabytes("VmRSS")
    file = pictures.encode(pictures.Image.new("RGB", size), kind)
    _, valid = decode_large([file])
    assert valid.numpy().all()
    assert megabytes("VmHWM") - before < 50


def test_rows_that_are_no_pictures_cost_no_network():
    rows = decode_rows(
        tf.constant([b"x", pictures.encode(pictures.picture(), "PNG"), b""]),
        size=SIZE,
        resize=RESIZE,
        pixel_limit=10_000,
    )
    assert rows.images.shape == (1, SIZE, SIZE, 3)
    assert rows.valid.numpy().tolist() == [False, True, False]


LIMIT = 10_000


@pytest.fixture(scope="module")
def check():
    return tf.function(
        lambda encoded: check_pixels(encoded, LIMIT),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def refused(check, file):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        check(file)
    return error.value.message


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_up_to_the_limit(check, kind):
    file = pictures.encode(pictures.picture(125, 80), kind)
    assert pictures.decode(check(file).numpy()).shape == (80, 125, 3)
    file = pictures.encode(pictures.picture(127, 79), kind)
    assert "limit" in refused(check, file)


HEADERS = {
    "PNG": pictures.png_header,
    "JPEG": pictures.jpeg_header,
    "BMP": pictures.bmp_header,
    "GIF": lambda *size: pictures.gif((1, 1), (0, 0, 4, 4)).replace(
        b"\4\0\4\0", bytes([size[0] % 256, size[0] // 256] * 2)
    ),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_it_is_the_header_that_counts(check, kind):
    """The files hold hardly any pixels; decoding them would fail otherwise."""
    message = refused(check, HEADERS[kind](60_000, 60_000))
    assert "60000" in message and "limit" in message


@pytest.mark.parametrize(
    "file",
    [
        pictures.png_header(0, 10),
        pictures.png_header(2**31 + 5, 10),
        pictures.png_header(2**31 - 1, 2**31 - 1),
        pictures.bmp_header(-10, 2**31 - 1),
        pictures.bmp_header(-(2**31), 1),
    ],
)
def test_impossible_sizes(check, file):
    assert "limit" in refused(check, file)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"BM",
        b"GIF8",
        b"hello",
        b"GIF89a" + bytes(7),
        b"GIF89a" + bytes(7) + b";",
        pictures.encode(pictures.picture(), "TIFF"),
        b"RIFF" + bytes(4) + b"WAVE" + bytes(30),
        animated_webp(),
    ],
)
def test_no_picture(check, file):
    refused(check, file)


def test_a_jpeg_of_many_scans(check):
    """2,000 keep a core busy for half a minute, at 300 kB."""
    check(pictures.jpeg_of_scans(100))
    assert "101" in refused(check, pictures.jpeg_of_scans(101))


def test_a_bmp_from_the_top(check):
    file = pictures.bmp_header(40, -30)
    assert check(file).numpy() == file


def test_of_an_animation_the_first_frame(check):
    image = pictures.picture(90, 80)
    frames = [image.rotate(angle) for angle in range(0, 180, 20)]
    file = pictures.encode(
        image, "GIF", save_all=True, append_images=frames, comment=b"x" * 700
    )
    first = check(file).numpy()
    assert len(first) < len(file) / 5
    assert (pictures.decode(first) == pictures.decode(file)).all()
    # The limit is the first frame's, whatever follows.
    file = pictures.gif((4, 4), (0, 0, 4, 4), (0, 0, 300, 300))
    assert check(file).numpy() == pictures.gif((4, 4), (0, 0, 4, 4))
    file = pictures.gif((4, 4), (0, 0, 300, 300), (0, 0, 4, 4))
    assert "limit" in refused(check, file)


def test_a_gif_of_tiny_blocks_does_not_keep_it_busy(check):
    file = pictures.gif((4, 4), (0, 0, 4, 4), comment=b"x" * 20_000, block=1)
    assert "too many blocks" in refused(check, file)
    file = pictures.gif((4, 4), (0, 0, 4, 4), comment=b"x" * 20_000)
    check(file)
