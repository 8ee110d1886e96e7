"""Texts of others and numbers, as reports write them."""

import re

_MARKS = re.compile(r"[\\|*`\[\]<>&~$]|(?<![^\W_])_|_(?![^\W_])")


def one_line(text: str, length: int | None = None) -> str:
    """Puts a text on one line, without what cannot be printed.

    Args:
        text: any, a traceback, say.
        length: characters to cut it to; None for all.
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


def escape_markdown(text: str) -> str:
    """One line of Markdown, in a table too, that shows just this text."""
    return _MARKS.sub(r"\\\g<0>", one_line(text))
