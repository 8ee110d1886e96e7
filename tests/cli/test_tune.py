"""tools/tune.py as a user runs it."""

import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import keras
import pytest
from processes import run_command, run_forked

pytest.importorskip("keras_tuner")

ROOT = pathlib.Path(__file__).parents[2]
SMALL = (
    *("--dataset=fake", "--epochs=1", "--batch_size=128"),
    *("--space=depth=8", "--search=learning_rate"),
)


def command(tool, *args):
    return [sys.executable, f"tools/{tool}.py", *map(str, args)]


def run(tool, *args):
    return subprocess.run(
        command(tool, *args), cwd=ROOT, capture_output=True, text=True
    )


def trials(workdir):
    with open(workdir / "trials.csv") as file:
        return list(csv.DictReader(file))


def test_a_search_of_one_trial(tmp_path):
    args = (*SMALL, "--max_trials=1", f"--workdir={tmp_path}")
    done = run_command("tune", *args)
    assert done.returncode == 0, done.stderr
    [trial] = trials(tmp_path)
    assert trial["status"] == "completed"
    evaluation = tmp_path / "trials" / trial["trial"] / "evaluation.json"
    held_out = f"{float(trial['error']):.2%}"
    test = f"{json.loads(evaluation.read_text())['error']:.2%}"
    assert (
        f"Best: trial {trial['trial']}, held-out error {held_out}, test error "
        f"{test} (of this trial only)"
    ) in done.stdout
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["options"] == {"depth": 8} and best["batch_size"] == 128
    assert best["epochs"] is None and best["held_out"] is None


GIVEN = """
import json, sys
from keras_resnetv2 import tuning
from keras_resnetv2.cli import tune
tuning.search = lambda *args, **given: print(json.dumps(given))
tune.entry_point()
"""


def test_the_flags_reach_the_search(tmp_path):
    flags = {"max_parameters": 10**6, "max_flops": 10**8, "max_trials": 4}
    done = run_forked(
        GIVEN,
        *("--dataset=fake", "--shortcut=conv", "--tuner=grid"),
        *("--search=width,batch_size", "--parallel=3"),
        f"--workdir={tmp_path}",
        *(f"--{name}={value}" for name, value in flags.items()),
        *("--space=width=16", f"--data_dir={tmp_path}"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        **flags,
        "tuner": "grid",
        # Fixed by a flag of the network, and by --space.
        "space": {"shortcut": None, "width": 16},
        "search": ["width", "batch_size"],
        "parallel": 3,
        "data_dir": str(tmp_path),
    }


def wait_for(path, process):
    deadline = time.monotonic() + 240
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.multiprocess
def test_killed_in_the_second_trial_and_trained_in_full(tmp_path):
    workdir = tmp_path / "search"
    search = (*SMALL, "--max_trials=2", f"--workdir={workdir}")
    process = subprocess.Popen(
        command("tune", *search), cwd=ROOT, stdout=subprocess.DEVNULL
    )
    wait_for(workdir / "logs" / "1.txt", process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    first = workdir / "trials" / "0" / "metrics.csv"
    before = first.stat().st_mtime_ns

    done = run("tune", *search)
    assert done.returncode == 0, done.stderr
    assert first.stat().st_mtime_ns == before
    assert "trial 0  learning_rate" not in done.stdout
    rows = trials(workdir)
    assert [row["status"] for row in rows] == ["completed"] * 2
    evaluations = list(workdir.glob("trials/*/evaluation.json"))
    best = min(rows, key=lambda row: float(row["error"]))["trial"]
    assert [path.parent.name for path in evaluations] == [best]

    best = f"--config={workdir}/best.json"
    done = run("train", best, "--epochs=1", f"--workdir={tmp_path}/full")
    assert done.returncode == 0, done.stderr
    assert "test error" in done.stdout
    settings = json.loads((tmp_path / "full" / "experiment.json").read_text())
    assert settings["data"]["images"] == 512
    assert settings["experiment"]["learning_rate"] is not None


@pytest.mark.multiprocess
def test_a_chief_and_two_workers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workdir = tmp_path / "search"
    processes = {
        name: subprocess.Popen(
            command("tune", *SMALL, "--max_trials=4", f"--workdir={workdir}"),
            cwd=ROOT,
            env={
                **os.environ,
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": str(port),
                "KERASTUNER_TUNER_ID": name,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("the-chief", "worker-1", "worker-2")
    }
    said = {
        name: process.communicate(timeout=300)[0]
        for name, process in processes.items()
    }
    assert {p.returncode for p in processes.values()} == {0}
    rows = trials(workdir)
    assert [row["status"] for row in rows] == ["completed"] * 4
    shares = [
        {line.split()[1] for line in said[name].splitlines() if "trial" in line}
        for name in ("worker-1", "worker-2")
    ]
    assert all(shares) and not shares[0] & shares[1]
    assert shares[0] | shares[1] == {row["trial"] for row in rows}
    assert "Best: trial" in said["the-chief"]
    best = min(rows, key=lambda row: float(row["error"]))["trial"]
    assert (workdir / "trials" / best / "evaluation.json").exists()


@pytest.mark.multiprocess
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute"
)
def test_hyperband_on_two_replicas(tmp_path):
    args = (*SMALL, "--epochs=3", "--replicas=2", "--tuner=hyperband")
    done = run("tune", *args, "--max_trials=4", f"--workdir={tmp_path}")
    assert done.returncode == 0, done.stderr
    *first, last = trials(tmp_path)
    assert [row["epochs"] for row in first] == ["1"] * 3
    best = min(first, key=lambda row: float(row["error"]))
    assert (last["epochs"], last["status"]) == ("3", "completed")
    assert last["learning_rate"] == best["learning_rate"]
    assert "Resuming at step 4 of 12." in (tmp_path / "logs/3.txt").read_text()
    settings = tmp_path / "trials" / "3" / "experiment.json"
    assert json.loads(settings.read_text())["experiment"]["replicas"] == 2


@pytest.mark.parametrize(
    "args, says",
    [
        (["--dataset=fake", "--space=depth"], "--space='depth' must have"),
        (
            ["--dataset=fake", "--batch_size=64", "--space=batch_size=64,128"],
            "batch_size is given twice",
        ),
    ],
)
def test_bad_input_is_one_message(args, says, tmp_path):
    done = run_command("tune", f"--workdir={tmp_path}", *args)
    assert done.returncode == 1, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
