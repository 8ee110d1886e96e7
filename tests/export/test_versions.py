import os
import pathlib
import subprocess
import sys
import time

import pytest

from keras_resnetv2.export import versions


def write(path):
    path.mkdir()
    (path / "file").write_text("whole")


def test_the_next_number(tmp_path):
    assert versions.add(tmp_path / "new", write) == tmp_path / "new" / "1"
    for name in ("3", "10", "notes", "\u00b2", "2b"):
        (tmp_path / "new" / name).mkdir()
    assert versions.add(tmp_path / "new", write).name == "11"


def test_nothing_remains_of_what_failed(tmp_path):
    def fail(path):
        write(path)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        versions.add(tmp_path / "new", fail)
    assert not (tmp_path / "new").exists()
    (tmp_path / "1").mkdir()
    with pytest.raises(OSError, match="No space left"):
        versions.add(tmp_path, fail)
    assert os.listdir(tmp_path) == ["1"]


SEVERAL = """
import pathlib, sys, time
from keras_resnetv2.export import versions
def write(path):
    path.mkdir()
    time.sleep(0.2)
    (path / "file").write_text("whole")
for _ in range(10):
    versions.add(pathlib.Path(sys.argv[1]), write)
"""


@pytest.mark.multiprocess
def test_several_at_the_same_time(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", SEVERAL, tmp_path])
        for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert sorted(map(int, os.listdir(tmp_path))) == list(range(1, 31))
    assert all((path / "file").exists() for path in tmp_path.iterdir())


def test_a_number_taken_in_between(tmp_path, monkeypatch):
    numbers_in = versions.numbers_in

    def late(directory):
        numbers = numbers_in(directory)
        if not numbers:
            write(directory / "1")
        return numbers

    monkeypatch.setattr(versions, "numbers_in", late)
    assert versions.add(tmp_path, write).name == "2"


def test_a_part_that_nobody_finished_goes_after_a_day(tmp_path):
    parts = [tmp_path / f".part-{name}" for name in ("old", "new")]
    for part in parts:
        write(part)
    day_ago = time.time() - 25 * 3600
    os.utime(parts[0], (day_ago, day_ago))
    versions.add(tmp_path, write)
    assert sorted(os.listdir(tmp_path)) == [".part-new", "1"]


def test_a_file_is_no_directory(tmp_path):
    path = pathlib.Path(tmp_path, "file")
    path.write_text("")
    with pytest.raises(ValueError, match="is a file. Give a directory"):
        versions.add(path, write)
