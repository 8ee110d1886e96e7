"""Writes texts for reports: lines, and tables as Markdown and CSV.

Markdown is for people, CSV for programs.
"""

import csv
import dataclasses
import io
import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

_MARKS = re.compile(r"[\\|*`\[\]<>&~$]|(?<![^\W_])_|_(?![^\W_])")


def one_line(text: str, length: int | None = None) -> str:
    """Puts a text on one line, without unprintable characters.

    Args:
        text: any text, such as a traceback.
        length: largest number of characters; None for all.
    """
    printable = (c if c.isprintable() else " " for c in text)
    line = " ".join("".join(printable).split())
    if length is None or len(line) <= length:
        return line
    return line[: length - 1] + "…"


def duration(seconds: float) -> str:
    """Writes seconds as 1:23 (minutes) or 1:02:03 (hours)."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"


class _Brief(reprlib.Repr):
    """Shows arrays by numbers or shape, and functions by name."""

    def __init__(self):
        super().__init__()
        self.maxtuple = self.maxlist = self.maxdict = 4
        self.maxstring, self.maxother = 60, 80

    def repr_ndarray(self, array, level):
        if array.size <= 4:
            return f"[{', '.join(f'{number:.4g}' for number in array.flat)}]"
        return f"<{array.dtype} {array.shape}>"

    def repr_function(self, function, level):
        return function.__name__

    def repr_partial(self, partial, level):
        return self.repr1(partial.func, level)


_BRIEF = _Brief()


def brief(value: Any) -> str:
    """A one-line `__repr__` for dataclasses and named tuples.

    Args:
        value: fields that differ from their defaults are shown; long ones are
            cut.
    """
    if dataclasses.is_dataclass(value):
        defaults = {
            field.name: field.default
            if field.default_factory is dataclasses.MISSING
            else field.default_factory()
            for field in dataclasses.fields(value)
        }
    else:
        defaults = dict.fromkeys(value._fields, dataclasses.MISSING)
    written = ", ".join(
        f"{name}={_BRIEF.repr(getattr(value, name))}"
        for name, default in defaults.items()
        if default is dataclasses.MISSING or getattr(value, name) != default
    )
    return f"{type(value).__name__}({written})"


def images_found(classes: int, counts: dict[str, int]) -> str:
    """Describes the images that a command has found.

    Args:
        classes: number of classes.
        counts: use, such as "to train on" -> number of images.
    """
    images = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    return f"Images: {classes} classes, {images}."


def escape_markdown(text: str) -> str:
    """Escapes a text as one line of Markdown, also for tables."""
    return _MARKS.sub(r"\\\g<0>", one_line(text))


def markdown_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[bool] | None = None,
) -> str:
    """Writes a table as Markdown.

    Args:
        head: titles of the columns.
        rows: the cells of each row, not escaped: see `escape_markdown`.
        right: whether to align each column to the right; None for none.

    Returns:
        Lines for titles, alignment and rows, without a final line break.
    """
    right = right or [False] * len(head)
    sides = ["---:" if one else "---" for one in right]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, sides, *rows))


def csv_table(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Writes a table as CSV; None is an empty cell.

    Args:
        head: titles of the columns.
        rows: the values of each row.

    Returns:
        One line for the titles, and one per row.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue()
