"""Expands users' paths, and writes files atomically."""

import contextlib
import hashlib
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


def file_sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
    """Writes a file completely or not at all; text is encoded as UTF-8."""
    if isinstance(content, str):
        content = content.encode()
    with replacing(path) as part:
        part.write_bytes(content)


def write_json(path: pathlib.Path, values: Any) -> None:
    """Writes values as indented JSON, atomically."""
    write_atomically(path, json.dumps(values, indent=2) + "\n")


@contextlib.contextmanager
def replacing(path: pathlib.Path):
    """Context in which a hidden file is written, which then replaces `path`.

    On an error it is removed, so that a disk is freed.

    Yields:
        The hidden file's path. It has the ending of `path`.
    """
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except Exception:
        part.unlink(missing_ok=True)
        raise
