"""The file of class names in an export: one name per line."""

from collections.abc import Sequence

FILE = "labels.txt"


def text_of(class_names: Sequence[str]) -> str:
    """Returns the file's text."""
    return "".join(f"{name}\n" for name in class_names)


def read(text: str) -> list[str]:
    """Returns the names in the file's text."""
    return text.split("\n")[:-1]
