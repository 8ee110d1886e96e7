"""Picture files of every kind a server meets, made with Pillow or by hand."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


def picture(width=40, height=30, seed=0):
    """A smooth Pillow image."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decode(file):
    """uint8 (height, width, 3), by Pillow."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def png_header(width, height):
    """The beginning of a PNG that claims to be that large."""
    file = encode(picture(), "PNG")
    return file[:16] + struct.pack(">II", width, height) + file[24:]


def png_with_chunk():
    """A PNG with a chunk of no meaning before its header."""
    file = encode(picture(), "PNG")
    chunk = b"juNk" + struct.pack(">II", 1, 1)
    chunk += struct.pack(">I", zlib.crc32(chunk))
    return file[:8] + struct.pack(">I", 8) + chunk + file[8:]


def jpeg_of_scans(count):
    """A progressive JPEG with its last scan again and again."""
    file = encode(picture(), "JPEG", progressive=True)
    scan = file.rindex(b"\xff\xda")
    more = count - file.count(b"\xff\xda")
    return file[:-2] + file[scan:-2] * more + file[-2:]


def jpeg_header(width, height):
    file = encode(picture(40, 30), "JPEG")
    place = file.index(struct.pack(">HH", 30, 40))
    size = struct.pack(">HH", height, width)
    return file[:place] + size + file[place + 4 :]


def bmp_header(width, height):
    file = encode(picture(), "BMP")
    return file[:18] + struct.pack("<ii", width, height) + file[26:]


def gif(screen, *frames, comment=b"", block=255):
    """A GIF of white frames, (left, top, width, height) each."""
    file = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0)
    file += b"\0\0\0\xff\xff\xff"
    if comment:
        file += b"!\xfe" + _chain(comment, block)
    for frame in frames:
        file += b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02"
        file += _chain(_white(frame[2] * frame[3]), block)
    return file + b";"


def _chain(data, block):
    parts = [data[i : i + block] for i in range(0, len(data), block)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _white(pixels):
    # Codes of 3 bits, the first lowest: 4 clears the table, which so never
    # grows, 1 is white, 5 ends.
    codes = ["001100", "001"] * (pixels // 2) + ["001100"] * (pixels % 2)
    bits = "101" + "".join(reversed(codes))
    return int(bits, 2).to_bytes(-(-len(bits) // 8), "little")
