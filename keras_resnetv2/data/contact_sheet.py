"""Draws a contact sheet: pictures side by side with texts below."""

import io
import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2._text import one_line
from keras_resnetv2.data.image_files import PIXEL_LIMIT, read_image

_SIDE, _GAP, _COLUMNS = 180, 12, 6  # pixels, pixels, pictures
_FONT, _LINE = 14, 18  # pixels
_PAPER, _INK = "white", "black"


def write_contact_sheet(
    path: str | os.PathLike,
    files: Sequence[str | os.PathLike],
    texts: Sequence[Sequence[str]],
    *,
    pixel_limit: int = PIXEL_LIMIT,
) -> None:
    """Draws pictures as upright thumbnails, six per row.

    Args:
        path: the image file to write.
        files: N picture files.
        texts: the lines below each picture. Characters that the font lacks are
            drawn as boxes, with a warning.
        pixel_limit: pictures with more pixels are refused.

    Raises:
        ValueError: if a file cannot be read, `path` does not end in .png, or
            its folder cannot be written to.
    """
    from PIL import Image, ImageDraw, ImageFont

    path = check_path(path)
    texts = [list(map(one_line, below)) for below in texts]
    lines = max(map(len, texts), default=0)
    width, height = _SIDE + _GAP, _SIDE + _GAP + _LINE * lines
    columns = min(_COLUMNS, len(files))
    rows = math.ceil(len(files) / _COLUMNS)
    size = (columns * width + _GAP, rows * height + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    _warn_of_boxes(itertools.chain(*texts), font)
    for i, (file, below) in enumerate(zip(files, texts, strict=True)):
        row, column = divmod(i, _COLUMNS)
        left, top = _GAP + column * width, _GAP + row * height
        picture = Image.fromarray(read_image(file, pixel_limit=pixel_limit))
        scale = _SIDE / max(picture.size)
        sides = [max(1, round(side * scale)) for side in picture.size]
        picture = picture.resize(sides, Image.Resampling.BILINEAR)
        middle = [(_SIDE - side) // 2 for side in sides]
        sheet.paste(picture, (left + middle[0], top + middle[1]))
        for line, text in enumerate(below):
            place = left, top + _SIDE + line * _LINE
            draw.text(place, _fitting(text, draw, font), _INK, font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_atomically(path, file.getvalue())


def check_path(path: str | os.PathLike) -> Path:
    """Checks that a PNG file can be written, before any work.

    Raises:
        ValueError: if it does not end in .png, or its folder cannot be written
            to.
    """
    path = user_path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"A contact sheet must be a .png file; received {path}."
        )
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(
            f"{path} cannot be written: {folder} is not a folder, or is "
            "read-only. Create the folder, or give another path."
        )
    return path


def _warn_of_boxes(texts, font):
    box = bytes(font.getmask("\U0010ffff"))  # a character that no font has
    lacking = [
        character
        for character in sorted(set().union(*texts))
        if bytes(font.getmask(character)) == box
    ]
    if lacking:
        logging.warning(
            "The contact sheet's font lacks %s and shows boxes instead.",
            one_line(" ".join(lacking), 60),
        )


def _fitting(text, draw, font):
    """Cuts a text to the width of a picture."""
    if draw.textlength(text, font) <= _SIDE:
        return text
    while text and draw.textlength(f"{text}...", font) > _SIDE:
        text = text[:-1]
    return f"{text}..."
