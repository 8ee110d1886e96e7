"""tools/ablation.py as a user runs it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from processes import run_command

from keras_resnetv2.training import checkpoints

ROOT = pathlib.Path(__file__).parents[2]
# 80 steps: 2 epochs of the 2,560 images of the sample.
QUICK = (
    *("--study=quick", "--rows=original,conv", "--epochs=2"),
    "--checkpoint_steps=5",
)


def start(workdir, *args):
    return subprocess.Popen(
        [
            *(sys.executable, "tools/ablation.py"),
            *(f"--workdir={workdir}", *args),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(workdir, *args):
    process = start(workdir, *args)
    out, err = process.communicate()
    return process.returncode, out, err


def results(workdir):
    file = workdir / "results.jsonl"
    if not file.exists():
        return {}
    lines = map(json.loads, file.read_text().splitlines())
    return {line["run"]: line for line in lines}


def test_rows_are_listed_without_a_directory(tmp_path):
    code, out, _ = run("", "--study=table1", "--list")
    assert code == 0 and len(out.splitlines()) == 11
    assert "exclusive_gating_-6: exclusive gating, b_g -6\n" in out


def test_what_does_not_fit_is_said(tmp_path):
    new = f"--workdir={tmp_path / 'new'}"
    done = run_command("ablation", new, "--study=quick", "--rows=convolution")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    says = "Unknown rows of study 'quick': received convolution; expected"
    assert says in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed")
    code, out, err = run(workdir, *QUICK)
    assert code == 0, err
    assert "Done. For a report: python tools/report.py" in out
    return results(workdir)


def wait_for_a_checkpoint(workdir, process):
    deadline = time.monotonic() + 240
    while not any(
        checkpoints.last_step(run / "checkpoints")
        for run in (workdir / "runs").glob("*")
    ):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def agrees(workdir, undisturbed):
    there = results(workdir)
    assert there.keys() == undisturbed.keys()
    for name, result in there.items():
        for key in ("test_error", "last", "schedule", "config", "seed"):
            assert result[key] == undisturbed[name][key]


@pytest.mark.multiprocess
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_cut_off_and_gone_on_with(tmp_path, undisturbed, number):
    process = start(tmp_path, *QUICK)
    wait_for_a_checkpoint(tmp_path, process)
    if number == signal.SIGINT:  # a terminal's Ctrl-C is for the whole group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode != 0 and len(results(tmp_path)) < 2
    if number == signal.SIGINT:
        assert process.returncode == 130 and "finishes its step" in out
        assert "Interrupted. The same command resumes it" in err
        logs = [log.read_text() for log in (tmp_path / "logs").iterdir()]
        assert any("stopped after step" in log for log in logs)
    code, out, err = run(tmp_path, *QUICK, "--parallel=2")
    assert code == 0, err
    assert "Resuming at step" in out
    agrees(tmp_path, undisturbed)


@pytest.mark.multiprocess
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="as on Linux")
def test_a_killed_training_is_told_and_done_by_the_next_call(
    tmp_path, undisturbed
):
    process = start(tmp_path, *QUICK)
    wait_for_a_checkpoint(tmp_path, process)
    children = [
        int(pid)
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    [child] = children
    os.kill(child, signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 1
    assert "crashed: the process was ended by SIGKILL" in out
    assert "Runs that crashed: PreActResNet20-" in err
    assert len(results(tmp_path)) == 1  # the other row's
    code, _, err = run(tmp_path, *QUICK)
    assert code == 0, err
    agrees(tmp_path, undisturbed)
