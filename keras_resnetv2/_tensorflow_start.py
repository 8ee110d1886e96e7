"""Hides lines that TensorFlow prints at its start and nobody can act on.

TF_CPP_MIN_LOG_LEVEL does not hide them: they come before TensorFlow's log
levels apply.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from keras_resnetv2._import_hook import ImportHook

# It runs in its own process, so that the lines of a crash are also printed.
_FILTER = """
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
known = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"I0000 .* oneDNN custom operations are on|"
    rb"E0000 .* oneDNN supports DT_UINT8 only on platforms with AVX-512"
)
for line in sys.stdin.buffer:
    if not known.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@contextlib.contextmanager
def known_lines_dropped() -> Iterator[None]:
    """Context that keeps only these lines from standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _FILTER], stdin=subprocess.PIPE
    ) as process:
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def quiet_tensorflow() -> None:
    """Hides the lines when TensorFlow is imported later."""
    _BeforeTensorFlow().install()


class _BeforeTensorFlow(ImportHook):
    def wraps(self, name):
        return name == "tensorflow"

    def run(self, run, module):
        self.remove()
        with known_lines_dropped():
            run(module)
