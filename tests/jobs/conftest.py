import signal
import sys

import pytest


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Makes a shell script the child."""

    def replace(script):
        path = tmp_path / "child"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    # Tests in a shell's background (`make test &`) begin with SIGINT ignored,
    # and their children would, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield replace
    signal.signal(signal.SIGINT, before)
