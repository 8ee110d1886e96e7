import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_resnetv2.cli import prepare_cifar10

ROOT = Path(prepare_cifar10.__file__).parents[2]
TOOL = ROOT / "tools" / "prepare_cifar10.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_bad_archive_is_one_message_and_exit_code_1(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    archive = tmp_path / "x.tgz"
    archive.write_bytes(b"<html>")
    data_dir = tmp_path / "tfds"
    done = run("--archive", archive, "--data_dir", data_dir)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"error: {archive} is not a readable" in done.stderr
    assert not data_dir.exists()


def test_words_beside_the_flags_are_refused(tmp_path):
    done = run(tmp_path / "x.tgz")
    assert done.returncode == 1
    assert "x.tgz" in done.stdout + done.stderr


def test_help_names_the_flags():
    done = run("--help")
    assert "--archive" in done.stdout
    assert "--data_dir" in done.stdout
