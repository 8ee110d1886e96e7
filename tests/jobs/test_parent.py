"""Trainings in processes of their own, and how their ends are judged."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from small_training import cut_fake, experiment

from keras_resnetv2 import training
from keras_resnetv2.jobs.child import begin_from, stops_all
from keras_resnetv2.jobs.job import (
    DescribeData,
    Evaluate,
    Train,
    from_line,
    to_line,
)
from keras_resnetv2.jobs.parent import (
    AllStoppedError,
    TrainingDivergedError,
    TrainingFailedError,
    run,
    tell_progress,
)
from keras_resnetv2.training import checkpoints, logs
from keras_resnetv2.training.workdir import Workdir


def test_the_job_arrives_and_the_lines_come_back(child, tmp_path):
    child("read job; echo \"$job\"; printf 'caf\\351\\n' >&2; echo; echo end")
    lines, job = [], Train("a b", experiment())
    for _ in range(2):
        run(job, tmp_path / "log.txt", lines.append)
    assert lines == [to_line(job).strip(), "caf\ufffd", "", "end"] * 2
    log = (tmp_path / "log.txt").read_text()
    assert log == "\n".join(lines) + "\n"


def test_a_terminal_is_told_what_was_found_and_how_far_it_is(capsys):
    told = [
        "Images: 2 classes, 5 to train on, 3 to test on.",
        "Network: PreActResNet20, 272,474 parameters, 6 steps, on CPU:0.",
        "Resuming at step 3 of 6.",
        "epoch 1/2",
    ]
    for line in [*told, "epochs: 2", "1/3 loss 2.3", ""]:
        tell_progress("here  ", line)
    assert capsys.readouterr().out.splitlines() == [f"here  {t}" for t in told]


@pytest.mark.parametrize(
    "script, error, says",
    [
        ("kill -KILL $$", TrainingFailedError, "SIGKILL, perhaps.*memory"),
        ("kill -SEGV $$", TrainingFailedError, "ended by SIGSEGV$"),
        ("exit 7", TrainingFailedError, "ended with status 7"),
        ("echo x; fail failed 'E: so'; exit 1", TrainingFailedError, "^E: so$"),
        ("fail stops_all 'E: full'; exit 1", AllStoppedError, "^E: full$"),
        # Something else may be printed at the end.
        (
            "fail diverged NaN; echo bye; exit 1",
            TrainingDivergedError,
            "^NaN$",
        ),
        ("exit 143", AllStoppedError, "SIGTERM.*same command to resume"),
        # It was still importing, and took no note of signals.
        ("kill -TERM $$", AllStoppedError, "SIGTERM.*same command to resume"),
        ("exit 130", KeyboardInterrupt, None),
        ("kill -INT $$", KeyboardInterrupt, None),
    ],
)
def test_how_it_ended(child, tmp_path, script, error, says):
    child(f"read job\n{script}")
    with pytest.raises(error, match=says) as raised:
        run(Evaluate("run"), tmp_path / "log.txt", lambda line: None)
    if error is TrainingFailedError:
        last = (tmp_path / "log.txt").read_text().splitlines()[-1]
        assert last == f"error: {raised.value}"


def test_a_process_that_never_reads_its_job(child, tmp_path):
    child("exec 0<&-; echo no module; exit 9")
    more_than_a_pipe_holds = Evaluate("x" * 2**20)
    with pytest.raises(TrainingFailedError, match="status 9"):
        run(more_than_a_pipe_holds, tmp_path / "log.txt", lambda line: None)
    assert "no module" in (tmp_path / "log.txt").read_text()


def interrupt(line):
    if line.startswith("epoch"):
        raise KeyboardInterrupt


def test_ctrl_c_waits_for_the_checkpoint(child, tmp_path, capsys):
    # The end of its standard input is the child's word to end.
    child("read job; echo epoch 1; cat; sleep 0.2; echo written; exit 143")
    with pytest.raises(KeyboardInterrupt):
        run(Evaluate("run"), tmp_path / "log.txt", interrupt)
    assert (tmp_path / "log.txt").read_text() == "epoch 1\nwritten\n"
    assert "finishes its step" in capsys.readouterr().out


def job_of(settings, workdir, previous=None):
    return Train(str(workdir), settings, begin_from=previous)


def test_what_cannot_be_written_stops_all(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # imported faster
    (tmp_path / "file").touch()
    job = job_of(experiment(), tmp_path / "file" / "run")
    with pytest.raises(AllStoppedError, match="NotADirectoryError.*file/run"):
        run(job, tmp_path / "log.txt", lambda line: None)


def test_the_process_has_what_it_is_given(tmp_path):
    begun = []
    job = DescribeData(experiment())
    with pytest.raises(TrainingFailedError, match="no_such_backend"):
        run(
            job,
            tmp_path / "log.txt",
            lambda line: None,
            begun=begun.append,
            environment={"KERAS_BACKEND": "no_such_backend"},
        )
    [process] = begun
    assert process.returncode == 1
    assert "no_such_backend" in (tmp_path / "log.txt").read_text()


def test_what_the_data_are_comes_back_as_data(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # imported faster
    job = DescribeData(experiment(held_out=0.25))
    assert run(job, tmp_path / "log.txt", lambda line: None) == {
        "classes": 10,
        "input_shape": [32, 32, 3],
        "images": 382,
        "tested": 130,
    }


@pytest.mark.parametrize(
    "job",
    [
        Train("run", experiment(options={"widths": (4, 8, 16)}), "data", "old"),
        Train("run", experiment(), checkpoint_steps=3),
        Evaluate("run"),
        DescribeData(experiment(held_out=0.1)),
    ],
)
def test_a_job_is_a_line_and_back(job):
    line = to_line(job)
    assert line.index("\n") == len(line) - 1
    assert from_line(line) == from_line(line.encode()) == job


# 40 steps, 8 an epoch.
LONG = experiment(epochs=5, options={"depth": 8, "widths": (4, 8, 16)})


def newest(workdir):
    return checkpoints.last_step(workdir / "checkpoints") or 0


def test_ctrl_c_loses_no_step(tmp_path):
    job = job_of(LONG, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path / "log.txt", interrupt)
    saved = newest(tmp_path / "cut")
    assert 8 <= saved < 40
    log = (tmp_path / "log.txt").read_text()
    assert f"Received SIGTERM: stopped after step {saved}." in log


PARENT = """
import pathlib, sys
from keras_resnetv2.jobs import job, parent
parent.run(job.from_line(sys.argv[1]), pathlib.Path(sys.argv[2]), print)
"""


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def is_alive(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


def wait_until(met):
    deadline = time.monotonic() + 120
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.multiprocess
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="as on Linux")
def test_a_killed_parents_training_ends_and_can_go_on(tmp_path):
    job = to_line(job_of(LONG, tmp_path / "cut"))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, job, tmp_path / "log.txt"],
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: newest(tmp_path / "cut") or parent.poll() is not None)
    [child] = children(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(child))
    saved, lines = newest(tmp_path / "cut"), []
    assert 8 <= saved < 40
    run(job_of(LONG, tmp_path / "cut"), tmp_path / "log.txt", lines.append)
    assert f"Resuming at step {saved} of 40." in lines
    training.train(LONG, tmp_path / "undisturbed")
    one, other = (
        logs.read_rows(tmp_path / name / "metrics.csv")
        for name in ("cut", "undisturbed")
    )
    assert [row.epoch for row in one] == list(range(1, 6))
    for here, there in zip(one, other, strict=True):
        assert here.step == there.step
        assert here.test_loss == there.test_loss
        assert here.test_error == there.test_error


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A finished training of one epoch; to be read, not changed."""
    workdir = tmp_path_factory.mktemp("short")
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_fake(monkeypatch)
        training.train(experiment(epochs=1), workdir)
    return workdir


def test_a_longer_training_goes_on_from_a_shorter_one(
    short, tmp_path, small_fake, capsys
):
    longer, workdir = experiment(epochs=3), tmp_path / "long"
    begin_from(short, workdir, longer)
    rows = training.train(longer, workdir)
    assert "Resuming at step 4 of 12." in capsys.readouterr().out
    assert [row.step for row in rows] == [4, 8, 12]
    assert rows[:1] == logs.read_rows(short / "metrics.csv")
    assert Workdir(workdir).read()[0] == longer
    assert newest(short) == 4

    # Where it has begun it goes on from its own last step.
    begin_from(short, workdir, longer)
    assert newest(workdir) == 12


@pytest.mark.parametrize(
    "module, name", [(shutil, "copytree"), (shutil, "copy"), (Workdir, "write")]
)
def test_a_beginning_that_was_cut_off_is_done_again(
    short, tmp_path, module, name
):
    longer, workdir = experiment(epochs=3), tmp_path / "long"

    def cut_off(*args):
        if name == "copytree":
            args[1].mkdir(parents=True)
            (args[1] / "step-000000099.npz").touch()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, name, cut_off)
        with pytest.raises(KeyboardInterrupt):
            begin_from(short, workdir, longer)
    assert not (workdir / "experiment.json").exists()
    begin_from(short, workdir, longer)
    assert newest(workdir) == 4
    assert Workdir(workdir).read()[0] == longer
    assert (workdir / "metrics.csv").read_bytes() == (
        short / "metrics.csv"
    ).read_bytes()


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, expected",
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (ImportError("no tensorflow"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), False),
        (
            caused(OSError("The training stopped"), OSError(errno.ENOMEM, "")),
            False,
        ),
        (MemoryError(), False),
        (ValueError("a setting's"), False),
    ],
)
def test_a_want_of_memory_is_one_networks_own(error, expected):
    assert stops_all(error) == expected
