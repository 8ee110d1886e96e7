"""Errors that end a training: divergence, full disks, bad images."""

import contextlib
import math
import re
import sys


class DivergedError(ArithmeticError):
    """The loss or a variable became NaN or infinite.

    Attributes:
        step: the step (from 1) at which it was found.
    """

    def __init__(self, what: str, step: int):
        super().__init__(
            f"{what} at step {step:,}: the training has diverged. Earlier "
            "checkpoints are kept, and this state is not saved. The same "
            "settings would diverge again. Lower learning_rate, or use float32 "
            "if the precision was float16."
        )
        self.step = step


def check_loss(loss: float, step: int) -> None:
    """Raises DivergedError if the loss is NaN or infinite."""
    if not math.isfinite(loss):
        raise DivergedError(f"The loss is {loss}", step)


@contextlib.contextmanager
def plain_errors():
    """Replaces TensorFlow's errors about the disk and images by short ones.

    Raises:
        OSError: if the disk is full or cannot be written.
        ValueError: if an image cannot be read; names the file.
    """
    try:
        yield
    except Exception as error:
        plain = _plain(error)
        if plain is None:
            raise
        raise plain from error


def _plain(error):
    tf = sys.modules.get("tensorflow")
    if tf is None or not isinstance(error, tf.errors.OpError):
        return None
    for pattern, kind in _KINDS.items():
        if found := re.search(pattern, error.message):
            return kind(found[1])
    return None


_KINDS = {
    # Raised by a stream's reader in Python.
    r"ValueError: (.+)": ValueError,
    r"(.*(?:No space left|Disk quota|Permission denied|Read-only).*)": OSError,
}
