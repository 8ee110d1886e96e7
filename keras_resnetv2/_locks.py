"""A directory that one process at a time may work in."""

import contextlib
import pathlib

import filelock


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
