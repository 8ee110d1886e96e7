"""Code in a process of its own: another backend, other devices."""

import os
import subprocess
import sys


def run_python(code, *arguments, backend="tensorflow"):
    """What a script prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
