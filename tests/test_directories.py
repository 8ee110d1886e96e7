import math
import subprocess
import sys
import threading

import pytest

from keras_resnetv2._directories import LockedError, locked


def test_one_at_a_time(tmp_path):
    with locked(tmp_path / "new" / "one"):
        with pytest.raises(LockedError, match="new/one.*another directory"):
            with locked(tmp_path / "new" / "one"):
                raise AssertionError("two are inside")
        with locked(tmp_path / "new"):
            pass  # another directory
    with locked(tmp_path / "new" / "one"):
        pass  # it is free again


def test_a_lock_can_be_waited_for(tmp_path):
    inside, entered = threading.Event(), []

    def wait():
        inside.set()
        with locked(tmp_path, wait=math.inf):
            entered.append("second")

    with locked(tmp_path):
        second = threading.Thread(target=wait)
        second.start()
        inside.wait()
        second.join(0.2)
        entered.append("first")
    second.join(10)
    assert entered == ["first", "second"]


def test_an_error_inside_frees_it(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


HOLD = """
import fcntl, sys, time
file = open(sys.argv[1] + "/.lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(100)
"""


def test_a_killed_process_holds_nothing(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), locked(tmp_path):
            pass
    finally:
        other.kill()
        other.communicate()
    with locked(tmp_path):
        pass


TAKE = """
import fcntl, sys
file = open(sys.argv[1] + "/.lock", "w")
try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""


def test_version_0_1_0_respects_it(tmp_path):
    take = [sys.executable, "-c", TAKE, tmp_path]
    with locked(tmp_path):
        assert subprocess.check_output(take) == b"locked\n"
    assert subprocess.check_output(take) == b""


WITHOUT_FLOCK = """
import pathlib, sys
sys.modules["fcntl"] = None
from keras_resnetv2._directories import LockedError, locked
folder = pathlib.Path(sys.argv[1])
for _ in range(2):
    with locked(folder):
        try:
            with locked(folder):
                pass
        except LockedError:
            print("locked")
"""


def test_without_flock_the_existence_of_the_file_is_the_lock(tmp_path):
    run = [sys.executable, "-W", "ignore", "-c", WITHOUT_FLOCK, tmp_path]
    assert subprocess.check_output(run) == b"locked\n" * 2
    (tmp_path / ".lock").touch()  # of a killed process
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(run, check=True, stderr=subprocess.DEVNULL)
