"""What a training says when it cannot go on: divergence, and plain errors."""

import contextlib
import math
import re
import sys

import numpy as np


class DivergedError(ArithmeticError):
    """The loss or a variable is not a finite number any more.

    Attributes:
        step: the step (from 1) at which it was seen.
    """

    def __init__(self, what: str, step: int):
        super().__init__(
            f"{what} at step {step:,}: the training has diverged. Checkpoints "
            "from before are kept as they are, and nothing is written of this "
            "state. Lower learning_rate, or use float32 where the precision "
            "was float16; the same settings would diverge again."
        )
        self.step = step


def check_loss(loss: float, step: int) -> None:
    """Raises DivergedError if the loss is NaN or infinite."""
    if not math.isfinite(loss):
        raise DivergedError(f"The loss is {loss}", step)


def check_arrays(arrays: dict[str, np.ndarray], step: int) -> None:
    """Raises DivergedError if a number in an array is NaN or infinite."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DivergedError(f"{name} is not finite", step)


@contextlib.contextmanager
def plain_errors():
    """Inside it, TensorFlow's errors about the disk and bad images are plain.

    Raises:
        OSError: for TensorFlow's error about a full or forbidden disk.
        ValueError: for an image that cannot be read; names the file.
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
    # What a stream's reader in Python raised.
    r"ValueError: (.+)": ValueError,
    r"(.*(?:No space left|Disk quota|Permission denied|Read-only).*)": OSError,
}
