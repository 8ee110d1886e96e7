"""TensorFlow's errors about files, as the errors that Python has for them."""

import contextlib
import re
import sys


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
    # What data's streams of encoded images assert.
    r"assertion failed: \[(.+ cannot be read as an image; .+?)\]": ValueError,
    r"(.*(?:No space left|Disk quota|Permission denied|Read-only).*)": OSError,
}
