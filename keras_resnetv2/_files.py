"""Paths as users write them, and files written whole or not at all."""

import contextlib
import os
import pathlib


def user_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path that a user gave, with the home directory for `~`.

    A shell puts it in where `~` begins a word, not in --workdir=~/runs.
    """
    return pathlib.Path(os.path.expanduser(path))


def absolute_path(path: str | os.PathLike[str]) -> str:
    """Likewise, for what is found from any other directory, too."""
    return os.path.abspath(user_path(path))


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
    """Writes a file whole or not at all; a text as UTF-8."""
    if isinstance(content, str):
        content = content.encode()
    part = path.with_name(f".{path.name}.part")
    with removed_on_error(part):
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


@contextlib.contextmanager
def removed_on_error(part: pathlib.Path):
    """Removes what was written so far, which would keep a full disk full."""
    try:
        yield
    except Exception:
        part.unlink(missing_ok=True)
        raise
