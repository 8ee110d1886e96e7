"""TensorFlow without the lines that it prints and nobody can act on.

They come before its own levels of logging count: TF_CPP_MIN_LOG_LEVEL does not
keep them back.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from keras_resnetv2._import_hook import ImportHook

# A process of its own, which also prints what a crash leaves.
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
    """Inside it, the lines do not reach standard error; all others do."""
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
    """Drops them where TensorFlow is imported from now on."""
    _BeforeTensorFlow().install()


class _BeforeTensorFlow(ImportHook):
    def wraps(self, name):
        return name == "tensorflow"

    def run(self, run, module):
        self.remove()
        with known_lines_dropped():
            run(module)
