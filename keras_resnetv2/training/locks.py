"""A directory that one process at a time may work in."""

import contextlib
import fcntl
import pathlib


class LockedError(ValueError):
    """Another process works there."""


@contextlib.contextmanager
def locked(directory: pathlib.Path, wait: bool = False):
    """Inside it, no other process is inside it; a killed one leaves no trace.

    Args:
        directory: made where it is not there.
        wait: whether to wait for the other one's end.

    Raises:
        LockedError: if there is another one, and it is not waited for.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise LockedError(
                f"Another process is at work in {str(directory)!r}. Wait for "
                "its end, or give another directory."
            ) from error
        yield
