import signal
import sys

import pytest

# Of `fail KIND REASON`: the pipe's number is the last of the arguments.
_SCRIPT = """#!/bin/sh
pipe=/dev/fd/$4
fail() {{
  echo "error: $2"
  printf '{{"failure": "%s", "reason": "%s"}}' "$1" "$2" > "$pipe"
}}
{}
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Makes a shell script the child."""

    def replace(script):
        path = tmp_path / "child"
        path.write_text(_SCRIPT.format(script))
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    # Tests in a shell's background (`make test &`) begin with SIGINT ignored,
    # and their children would, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield replace
    signal.signal(signal.SIGINT, before)
