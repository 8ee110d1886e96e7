"""Image files: which formats are read, and one file to pixels, with Pillow."""

import contextlib
import functools
import os
import threading
from typing import IO, NamedTuple

import numpy as np

from keras_resnetv2.data import orientation

# An image of more is not decoded: its pixels alone take 3 bytes each.
PIXEL_LIMIT = 200_000_000
# Pillow's own limit is a global, which is ours while a header is read.
_PILLOW_LIMIT = threading.Lock()


class Format(NamedTuple):
    """A format of image files.

    It is read whether images are held in memory or streamed, and on every
    backend. What TensorFlow does not decode in a stream, Pillow does.

    Attributes:
        pillow: Pillow's names of it.
        served: whether an export takes it, too.
        note: what is special about it.
    """

    pillow: tuple[str, ...]
    served: bool = False
    note: str = ""


FORMATS = {
    "JPEG": Format(("JPEG", "MPO"), True),
    "PNG": Format(("PNG",), True, "of 16 bits the upper 8"),
    "GIF": Format(("GIF",), True, "the first frame"),
    "BMP": Format(("BMP", "DIB"), True, "served where it is not compressed"),
    "WebP": Format(
        ("WEBP",), True, "the first frame; served where it is not animated"
    ),
    "TIFF": Format(("TIFF",), False, "the first page"),
    "AVIF": Format(("AVIF",), False, "where Pillow has it"),
    "JPEG 2000": Format(("JPEG2000",)),
    "PPM": Format(("PPM",)),
}


@functools.cache
def suffixes() -> tuple[str, ...]:
    """The suffixes of the formats that this Pillow reads, in lower case."""
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
    """Tells why a file of no known suffix is no picture.

    Args:
        path: the file.

    Returns:
        The reason, with advice; `None` if it is a picture of `FORMATS`.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(32)
    except OSError as error:
        return f"it cannot be opened ({error.strerror})"
    if begin[4:8] == b"ftyp" and begin[8:12] in _HEIF:
        return (
            "HEIC is not read; save it as JPEG (an iPhone does so after "
            "Settings, Camera, Formats, Most Compatible)"
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
    return f"{name} is not read; save it as JPEG or PNG"


_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def read_image(
    file: str | os.PathLike[str] | IO[bytes],
    *,
    upright: bool = True,
    pixel_limit: int = PIXEL_LIMIT,
) -> np.ndarray:
    """Reads the first frame of an image file of any of `FORMATS`.

    Args:
        file: its path, or the open file.
        upright: whether it is turned as its EXIF orientation says.
        pixel_limit: the most pixels that are decoded.

    Returns:
        uint8, (height, width, 3). Transparency is left out; of 16 bits the
        upper 8 are taken.

    Raises:
        ValueError: if it cannot be read as an image, or has more pixels.
    """
    try:
        with _opened(file) as image:
            _check_size(file, image.width, image.height, pixel_limit)
            pixels = np.asarray(_eight_bits(image).convert("RGB"))
            # A TIFF has none here, and Pillow itself has turned it.
            exif = image.info.get("exif") if upright else None
    except (_LargeError, ImportError):  # of Pillow itself
        raise
    except Exception as error:  # Pillow's decoders raise of every kind
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
            f"{pixel_limit:,}. Raise it (--pixel_limit), or make the picture "
            "smaller."
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
    except Exception:  # of damaged EXIF data, which TensorFlow skips, too
        return 0


def _eight_bits(image):
    """Takes the upper half of 16-bit pixels; Pillow would clip them to 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
