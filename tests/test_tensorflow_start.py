"""What TensorFlow prints when it is imported: what is known, and the rest."""

import os
import subprocess
import sys

import pytest

from keras_resnetv2._tensorflow_start import known_lines_dropped

KNOWN = (
    b"WARNING: All log messages before absl::InitializeLog() is called are\n"
    b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on. You may\n"
    b"E0000 00:00:1.2 3 util.cc:131] oneDNN supports DT_UINT8 only on platforms"
    b" with AVX-512. Falling back\n"
)
OTHERS = b"E0000 00:00:1.2 3 cuda.cc:1] No driver. oneDNN\nwithout an end"


def test_other_lines_are_printed(capfd):
    with known_lines_dropped():
        os.write(2, KNOWN + OTHERS)
    assert capfd.readouterr().err == OTHERS.decode()


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )


CRASH = """
import os
from keras_resnetv2._tensorflow_start import known_lines_dropped
with known_lines_dropped():
    os.write(2, b"no AVX")
    os.abort()
"""


def test_a_crash_is_explained():
    done = run(CRASH)
    assert done.returncode and done.stderr == "no AVX"


IMPORT = """
import importlib.util
from keras_resnetv2._tensorflow_start import quiet_tensorflow
quiet_tensorflow()
importlib.util.find_spec("tensorflow")  # as we and others look for it first
import tensorflow
"""


def test_an_import_prints_nothing():
    pytest.importorskip("tensorflow")
    done = run(IMPORT)
    assert (done.returncode, done.stderr) == (0, "")
