"""Whether a directory is free, in use, or holds work to resume."""

import contextlib
import json
import os
import pathlib

import filelock

_NO_SETTINGS = (
    AttributeError,
    KeyError,
    TypeError,
    UnicodeError,
    json.JSONDecodeError,
)

# The file that a directory of each kind is known by.
TRAINING, SEARCH, STUDY = "experiment.json", "search.json", "study-{}.json"
SERVING, EXPORT = "models.config", "saved_model.pb"
_KINDS = {
    TRAINING: "the work directory of a training",
    SEARCH: "the work directory of a search",
    STUDY.format("*"): "the work directory of a study",
    SERVING: "the directory of an export",
    EXPORT: "an export",
}


def kind_of_ours(path: str | os.PathLike) -> str | None:
    """Tells what this package has made of a directory.

    Args:
        path: of the directory.

    Returns:
        In words; None if it is not one of this package's.
    """
    path = pathlib.Path(path)
    found = (k for pattern, k in _KINDS.items() if any(path.glob(pattern)))
    return next(found, None)


@contextlib.contextmanager
def refused_unless_settings(settings: pathlib.Path, kind: str):
    """Inside it, a file is read, which may hold something else.

    Args:
        settings: the file.
        kind: what it should hold the settings of.

    Raises:
        ValueError: says what is wrong with it, and what to give instead.
    """
    try:
        yield
    except _NO_SETTINGS as error:
        raise ValueError(
            f"{settings} cannot be read as a {kind}'s settings "
            f"({type(error).__name__}: {error}). Give the --workdir of a "
            f"{kind} by this version of the package."
        ) from error


def check_free(settings: pathlib.Path, kind: str) -> None:
    """Refuses a directory that has no settings in it, but something else.

    Args:
        settings: the file that would be in it.
        kind: what the directory would be.

    Raises:
        ValueError: if it is not empty, or not a directory.
    """
    path = settings.parent
    if path.exists() and not path.is_dir():
        raise ValueError(f"workdir={str(path)!r} is a file. Give a directory.")
    if path.exists() and any(
        # A session killed at its beginning leaves something hidden at most.
        not entry.name.startswith(".")
        for entry in path.iterdir()
    ):
        raise ValueError(
            f"workdir={str(path)!r} is neither empty nor a {kind} "
            f"({settings.name} is missing). Give a new or an empty directory."
        )


def check_same(
    settings: pathlib.Path, kind: str, before: dict, now: dict
) -> None:
    """Refuses to go on with other settings.

    Args:
        settings: the file that the earlier ones are from.
        kind: what they are of.
        before: the settings by name, from the file.
        now: those asked for.

    Raises:
        ValueError: names the differences.
    """
    differences = [
        f"{name}: {before.get(name)!r} there, {now[name]!r} asked for"
        for name in now
        if before.get(name) != now[name]
    ]
    if differences:
        raise ValueError(
            f"workdir={str(settings.parent)!r} holds a {kind} with other "
            f"settings ({'; '.join(differences)}). Go on with its own "
            "settings, or give another directory."
        )


class LockedError(ValueError):
    """Another process works there."""


@contextlib.contextmanager
def locked(directory: pathlib.Path, wait: bool = False):
    """Inside it, no other process is inside it; a killed one leaves no trace.

    The lock is on the file ".lock", as 0.1.0's is: the two respect each other.

    Args:
        directory: made where it is not there.
        wait: whether to wait for the other one's end.

    Raises:
        LockedError: if there is another one, and it is not waited for.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / ".lock", blocking=wait)
    try:
        held = lock.acquire()
    except filelock.Timeout as error:
        raise LockedError(
            f"Another process is at work in {str(directory)!r}. Wait for its "
            "end, or give another directory."
        ) from error
    with held:
        yield
