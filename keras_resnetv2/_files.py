"""Expands users' paths, and writes files atomically."""

import contextlib
import json
import os
import pathlib
from typing import Any


def user_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns a user's path with `~` expanded to the home directory.

    A shell expands `~` at the start of a word, but not in --workdir=~/runs.
    """
    return pathlib.Path(os.path.expanduser(path))


def absolute_path(path: str | os.PathLike[str]) -> str:
    """Returns a user's path as an absolute path, with `~` expanded."""
    return os.path.abspath(user_path(path))


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
    """Writes a file completely or not at all; text is encoded as UTF-8."""
    if isinstance(content, str):
        content = content.encode()
    part = path.with_name(f".{path.name}.part")
    with replacing(path, part), open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: pathlib.Path, values: Any) -> None:
    """Writes values as indented JSON, atomically."""
    write_atomically(path, json.dumps(values, indent=2) + "\n")


@contextlib.contextmanager
def replacing(path: pathlib.Path, part: pathlib.Path):
    """Context in which `part` is written; then it takes the place of `path`.

    On an error it is removed, so that a disk is freed.
    """
    try:
        yield
        os.replace(part, path)
    except Exception:
        part.unlink(missing_ok=True)
        raise
