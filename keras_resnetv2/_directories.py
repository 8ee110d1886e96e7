"""Checks whether a directory is free, in use, or contains work to resume."""

import contextlib
import json
import math
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

# The file that identifies each kind of directory.
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
    """Returns what kind of directory of this package a directory is.

    Args:
        path: path of the directory.

    Returns:
        A description, or None if this package did not write it.
    """
    path = pathlib.Path(path)
    found = (k for pattern, k in _KINDS.items() if any(path.glob(pattern)))
    return next(found, None)


@contextlib.contextmanager
def refused_unless_settings(settings: pathlib.Path, kind: str):
    """Context in which a settings file is read, to check its content.

    Args:
        settings: the file.
        kind: what the settings belong to.

    Raises:
        ValueError: says what is wrong with it, and what to use instead.
    """
    try:
        yield
    except _NO_SETTINGS as error:
        raise ValueError(
            f"{settings} cannot be read as the settings of a {kind} "
            f"({type(error).__name__}: {error}). Give the --workdir of a "
            f"{kind} made with this version of the package."
        ) from error


def check_free(settings: pathlib.Path, kind: str) -> None:
    """Checks that a directory without settings is empty or missing.

    Args:
        settings: the settings file that the directory lacks.
        kind: what the settings belong to.

    Raises:
        ValueError: if it is not empty, or not a directory.
    """
    path = settings.parent
    check_no_file("workdir", path)
    if path.exists() and any(
        # A session killed at its start leaves only hidden files.
        not entry.name.startswith(".")
        for entry in path.iterdir()
    ):
        raise ValueError(
            f"workdir={str(path)!r} is neither empty nor the work directory "
            f"of a {kind} ({settings.name} is missing). Give a new or empty "
            "directory."
        )


def check_no_file(name: str, path: pathlib.Path) -> None:
    """Checks that a path is a directory, or missing.

    Args:
        name: what the path was given as.
        path: the path.

    Raises:
        ValueError: if it is a file.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{name}={str(path)!r} is a file. Give a directory.")


def check_same(
    settings: pathlib.Path, kind: str, before: dict, now: dict
) -> None:
    """Checks that work is resumed with the same settings.

    Args:
        settings: the file with the earlier settings.
        kind: what the settings belong to.
        before: the settings by name, from the file.
        now: the requested settings.

    Raises:
        ValueError: if they differ; lists the differences.
    """
    differences = [
        f"{name}: {before.get(name)!r} there, {now[name]!r} asked for"
        for name in now
        if before.get(name) != now[name]
    ]
    if differences:
        raise ValueError(
            f"workdir={str(settings.parent)!r} contains a {kind} with other "
            f"settings ({'; '.join(differences)}). Resume with the same "
            "settings, or give another directory."
        )


class LockedError(ValueError):
    """Another process is using the directory."""


@contextlib.contextmanager
def locked(directory: pathlib.Path, wait: float = 0, file: str = ".lock"):
    """Locks a directory for one process; a killed process releases the lock.

    By default it is on the file ".lock", as in 0.1.0: both versions respect it.

    Args:
        directory: created if missing.
        wait: how long to wait for the lock, in seconds; may be infinite.
        file: the file that is locked.

    Raises:
        LockedError: if another process has the lock after that time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    timeout = -1 if math.isinf(wait) else wait
    lock = filelock.FileLock(directory / file, timeout)
    try:
        held = lock.acquire()
    except filelock.Timeout as error:
        raise LockedError(
            f"Another process is using {str(directory)!r}. Wait until it ends, "
            "or give another directory."
        ) from error
    with held:
        yield
