"""Reads image files with Pillow, in a list of formats."""

import contextlib
import functools
import os
import threading
from typing import IO, NamedTuple

import numpy as np

from keras_resnetv2.data import orientation

# Larger images are not decoded: each pixel takes at least 3 bytes.
PIXEL_LIMIT = 200_000_000
# Protects Pillow's own limit, a global, which is off while a header is read.
_PILLOW_LIMIT = threading.Lock()


class Format(NamedTuple):
    """A format of image files.

    It is read from memory and from streams, on every backend. If TensorFlow
    cannot decode it in a stream, Pillow does.

    Attributes:
        pillow: Pillow's names of the format.
        served: whether an export also reads it.
        note: peculiarities of the format.
    """

    pillow: tuple[str, ...]
    served: bool = False
    note: str = ""


FORMATS = {
    "JPEG": Format(("JPEG", "MPO"), True),
    "PNG": Format(("PNG",), True, "the upper 8 of 16 bits"),
    "GIF": Format(("GIF",), True, "the first frame"),
    "BMP": Format(("BMP", "DIB"), True, "served if it is not compressed"),
    "WebP": Format(
        ("WEBP",), True, "the first frame; served if it is not animated"
    ),
    "TIFF": Format(("TIFF",), False, "the first page"),
    "AVIF": Format(("AVIF",), False, "if Pillow reads it"),
    "JPEG 2000": Format(("JPEG2000",)),
    "PPM": Format(("PPM",)),
}


@functools.cache
def suffixes() -> tuple[str, ...]:
    """Lists the suffixes of formats that this Pillow reads, in lower case."""
    from PIL import Image

    Image.init()
    names = {name for row in FORMATS.values() for name in row.pillow}
    found = Image.registered_extensions().items()
    return tuple(
        sorted(
            suffix
            for suffix, name in found
            if name in names and name in Image.OPEN
        )
    )


def reason_to_leave_out(path: str) -> str | None:
    """Returns why a file with an unknown suffix cannot be used.

    Args:
        path: the file.

    Returns:
        The reason, with advice; `None` if it is a picture in `FORMATS`.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(32)
    except OSError as error:
        return f"it cannot be opened ({error.strerror})"
    if begin[4:8] == b"ftyp" and begin[8:12] in _HEIF:
        return (
            "HEIC is not supported; save it as JPEG (on an iPhone: Settings, "
            "Camera, Formats, Most Compatible)"
        )
    if not begin:
        return "empty"
    try:
        with _opened(path) as image:
            name = image.format
    except Exception:
        return "not a picture"
    if any(name in row.pillow for row in FORMATS.values()):
        return None
    return f"{name} is not supported; save it as JPEG or PNG"


_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def read_image(
    file: str | os.PathLike[str] | IO[bytes],
    *,
    upright: bool = True,
    pixel_limit: int = PIXEL_LIMIT,
) -> np.ndarray:
    """Reads the first frame of an image file in one of `FORMATS`.

    Args:
        file: its path, or the open file.
        upright: whether to turn it upright by its EXIF orientation.
        pixel_limit: files with more pixels are refused.

    Returns:
        uint8, (height, width, 3). Transparency is ignored; of 16 bits, the
        upper 8 are used.

    Raises:
        ValueError: if it cannot be read as an image, or has too many pixels.
    """
    try:
        with _opened(file) as image:
            _check_size(file, image.width, image.height, pixel_limit)
            pixels = np.asarray(_eight_bits(image).convert("RGB"))
            # A TIFF has none here: Pillow itself has turned it.
            exif = image.info.get("exif") if upright else None
    except (_LargeError, ImportError):  # ImportError: Pillow is missing
        raise
    except Exception as error:  # Pillow's decoders raise many types
        raise ValueError(
            f"{file} cannot be read as an image ({error}); repair or remove it."
        ) from error
    if exif:
        pixels = orientation.turned(pixels, _orientation(exif))
    return pixels


class _LargeError(ValueError):
    pass


def _check_size(file, width, height, pixel_limit):
    if width * height > pixel_limit:
        raise _LargeError(
            f"{file} has {width:,} x {height:,} pixels; the limit is "
            f"{pixel_limit:,}. Raise the limit (--pixel_limit), or make the "
            "picture smaller."
        )


@contextlib.contextmanager
def _opened(file):
    from PIL import Image

    with _PILLOW_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _orientation(exif):
    from PIL import Image

    found = Image.Exif()
    try:
        found.load(exif)
        return int(found.get(orientation.TAG, 0))
    except Exception:  # damaged EXIF data, which TensorFlow also ignores
        return 0


def _eight_bits(image):
    """Returns the upper 8 of 16 bits; Pillow would clip pixels to 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
