"""Two workers on this machine: they equal one process, or end together."""

import json
import pathlib
import signal
import socket
import time

import numpy as np
import pytest
from processes import (
    Forked,
    Started,
    free_addresses,
    keras_variables,
    run_forked,
    start_workers,
    tf_config,
)
from small_training import experiment

from keras_resnetv2 import studies, tuning
from keras_resnetv2.training.workers import of_environment

pytest.importorskip("tensorflow")
HERE = pathlib.Path(__file__).parent
RUNS = HERE.joinpath("worker_runs.py").read_text()
INTERRUPTED = HERE.joinpath("interrupted_run.py").read_text()
# Seconds that nothing here needs: the slowest ends 10 after what it waits for.
BOUND = 300
UNDISTURBED = ("", 0)


@pytest.fixture(params=["tensorflow", "jax"])
def backend(request, monkeypatch):
    pytest.importorskip(request.param)
    if request.param == "jax":
        # float64 needs optimizations, which conftest.py turns off.
        monkeypatch.setenv("XLA_FLAGS", "")
    return request.param


def ended(workers):
    return [worker.wait(BOUND) for worker in workers]


def run_all(path, kind, devices, *parts, backend="tensorflow"):
    arguments = (kind, devices, path, *parts)
    if kind == "workers":
        started = start_workers(RUNS, [arguments] * 2, backend=backend)
    elif backend == "jax":
        started = [Started(RUNS, *arguments, KERAS_BACKEND="jax")]
    else:
        started = [Forked(RUNS, *arguments)]
    for done in [worker.wait(600) for worker in started]:
        assert done.returncode == 0, done.stderr
    return dict(np.load(path.with_suffix(".npz")))


def assert_alike(one, other, prefix, bound, least):
    """Bounds are relative to the largest value of an array."""
    names = [name for name in one if name.startswith(f"{prefix}/")]
    assert len(names) >= least, names
    for name in names:
        scale = max(np.abs(one[name]).max(), 1e-300)
        np.testing.assert_allclose(
            other[name] / scale,
            one[name] / scale,
            rtol=0,
            atol=bound,
            err_msg=name,
        )


# 11 weights and statistics, 7 velocities, the iterations, a row an epoch.
def test_two_workers_train_as_one_process(tmp_path):
    one, two = (
        run_all(tmp_path / kind, kind, 1, "synchronized")
        for kind in ("one", "workers")
    )
    assert_alike(one, two, "synchronized", 1e-12, 20)


@pytest.mark.multiprocess
@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("backend", ["jax"], indirect=True)
def test_two_workers_of_jax_as_one_process(tmp_path, devices, backend):
    one, two = (
        run_all(
            tmp_path / kind,
            kind,
            devices,
            "synchronized",
            "methods",
            backend="jax",
        )
        for kind in ("one", "workers")
    )
    assert_alike(one, two, "synchronized", 1e-12, 20)
    assert_alike(one, two, "fit", 1e-12, 40)
    assert_alike(one, two, "methods", 1e-12, 3)
    for method in ("train_on_batch", "predict_on_batch"):
        assert "does not split" in str(two[f"refusals/{method}"])
    assert "does not divide an array" in str(two["refusals/predict"])


@pytest.mark.multiprocess
@pytest.mark.parametrize("devices", [1, 2])
def test_two_workers_as_one_process_or_as_replicas(tmp_path, devices):
    one = run_all(tmp_path / "one", "one", 1)
    many = run_all(tmp_path / "mirrored", "mirrored", 2 * devices)
    two = run_all(tmp_path / "workers", "workers", devices)
    assert_alike(one, two, "synchronized", 1e-12, 20)
    assert_alike(one, two, "fit", 1e-12, 40)
    assert_alike(one, two, "methods", 1e-12, 8)
    assert_alike(many, two, "per_replica", 1e-12, 20)
    assert two["overflow/scale"] == 512.0
    assert two["overflow/changes"].size == 17
    assert not two["overflow/changes"].any()
    for method in ("train_on_batch", "predict_on_batch"):
        assert "does not split" in str(two[f"refusals/{method}"])


def train_together(workdir, backend, interrupted=None, *interruption):
    """Trains on two workers, one of which may be interrupted."""
    return start_workers(
        INTERRUPTED,
        [
            (workdir, 1, *(interruption if index == interrupted else ("", 0)))
            for index in range(2)
        ],
        backend=backend,
    )


def assert_all_well(done):
    for one in done:
        assert one.returncode == 0, one.stderr


def saved(workdir):
    """The steps of the checkpoints, and the arrays of the newest."""
    found = sorted((workdir / "checkpoints").glob("step-*.npz"))
    steps = [int(path.stem.removeprefix("step-")) for path in found]
    with np.load(found[-1]) as file:
        return steps, {k: v for k, v in file.items() if k != "state"}


def assert_same_end(one, other):
    (_, here), (_, there) = saved(one), saved(other)
    assert here.keys() == there.keys()
    for name, array in here.items():
        np.testing.assert_array_equal(array, there[name], err_msg=name)


STEP, TEST = "before a step is counted", "in a test"
WRITE, ROW = "inside a checkpoint's write", "between row and checkpoint"
# Who is killed when, and the step of the checkpoint that remains.
KILLS = [
    (0, STEP, 2, 0),
    (1, STEP, 2, 0),
    (0, WRITE, 1, 0),  # of step 3
    (1, STEP, 4, 3),
    (0, ROW, 1, 3),  # of step 4
    (1, TEST, 1, 3),
    (0, WRITE, 2, 4),  # of step 6
    (1, STEP, 3, 6),
    (0, STEP, 1, 6),
    (0, TEST, 1, 6),
]


@pytest.mark.multiprocess
def test_killed_at_ten_moments_ends_as_an_undisturbed_training(
    tmp_path, backend
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert_all_well(ended(train_together(whole, backend)))
    for victim, moment, number, remains in KILLS:
        workers = train_together(cut, backend, victim, moment, number)
        killed = workers[victim].wait(BOUND)
        began = time.monotonic()
        survivor = workers[1 - victim].wait(BOUND)
        seconds = time.monotonic() - began
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert survivor.returncode == 1
        assert "Another worker has ended" in survivor.stderr
        assert "resumes from the last checkpoint" in survivor.stderr
        assert seconds < 30
        found = list((cut / "checkpoints").glob("step-*.npz"))
        assert (saved(cut)[0][-1] if found else 0) == remains
    assert_all_well(ended(train_together(cut, backend)))
    assert_same_end(whole, cut)


@pytest.mark.multiprocess
@pytest.mark.parametrize("told", [0, 1])
def test_sigterm_to_one_ends_all_after_the_step(tmp_path, backend, told):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert_all_well(ended(train_together(whole, backend)))
    for done in ended(train_together(cut, backend, told, STEP, 5, "SIGTERM")):
        assert done.returncode == 128 + signal.SIGTERM, done.stderr
        assert "stopped after step 5" in done.stdout
    assert saved(cut)[0][-1] == 5
    assert_all_well(ended(train_together(cut, backend)))
    assert_same_end(whole, cut)


@pytest.mark.multiprocess
@pytest.mark.parametrize("stopped", [0, 1])
def test_stopped_worker_is_given_up(tmp_path, backend, stopped):
    workers = train_together(tmp_path, backend, stopped, STEP, 4, "SIGSTOP")
    survivor = workers[1 - stopped].wait(BOUND)
    assert survivor.returncode == 1
    assert "stopped answering" in survivor.stderr
    workers[stopped].send(signal.SIGCONT)
    done = workers[stopped].wait(BOUND)
    assert done.returncode == 1
    assert "Another worker has ended" in done.stderr


@pytest.mark.multiprocess
@pytest.mark.parametrize("early", [0, 1])
def test_worker_that_never_comes(tmp_path, backend, early):
    workers = free_addresses(2)
    arguments = (INTERRUPTED, tmp_path, 1, "", 0)
    worker = (
        Started(*arguments, **keras_variables(workers, early))
        if backend == "jax"
        else Forked(*arguments, TF_CONFIG=tf_config(workers, early))
    )
    done = worker.wait(BOUND)
    assert done.returncode == 1
    assert f"{workers[1 - early]} did not come within 10" in done.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.multiprocess
def test_port_is_taken(tmp_path, backend):
    workers = free_addresses(2)
    # On JAX, only the first one listens.
    taken = {"tensorflow": 1, "jax": 0}[backend]
    with socket.socket() as holder:
        host, port = workers[taken].split(":")
        holder.bind((host, int(port)))
        holder.listen()
        done = ended(
            start_workers(
                INTERRUPTED, [(tmp_path, 1, "", 0)] * 2, workers, backend
            )
        )
    refused, waited = done[taken], done[1 - taken]
    assert f"Worker {taken} cannot listen on port {port}" in refused.stderr
    assert f"{workers[taken]} did not come within 10" in waited.stderr
    assert (refused.returncode, waited.returncode) == (1, 1)


JOIN = """
import sys
import tensorflow as tf
listed = tf.config.list_physical_devices
tf.config.list_physical_devices = lambda kind=None: (
    [None] * int(sys.argv[1]) if kind == "GPU" else listed(kind))
from keras_resnetv2 import training
training.make_strategy()
"""


@pytest.mark.multiprocess
def test_different_numbers_of_gpus_are_refused_by_all():
    for done in ended(start_workers(JOIN, [(2,), (1,)])):
        assert done.returncode == 1
        assert "GPUs: 2 on worker 0, 1 on worker 1. All" in done.stderr


@pytest.mark.multiprocess
def test_another_seed_or_work_directory_is_refused_by_all(tmp_path, backend):
    arguments = (tmp_path / "one", 1, "", 0)
    other_seed = ended(
        start_workers(
            INTERRUPTED,
            [arguments, (*arguments, "SIGKILL", 4)],
            backend=backend,
        )
    )
    for done in other_seed:
        assert done.returncode == 1
        assert "seed is 3 on worker 0 and 4 on worker 1" in done.stderr
    elsewhere = (tmp_path / "other", *arguments[1:])
    for done in ended(
        start_workers(INTERRUPTED, [arguments, elsewhere], backend=backend)
    ):
        assert done.returncode == 1
        assert "is not the same directory here as on worker 0" in done.stderr
    assert not any(tmp_path.iterdir())


OF_VERSION = """
import sys
from small_training import UNIT, experiment
from keras_resnetv2 import training
from keras_resnetv2.training import loop
versions = loop.versions
loop.versions = lambda: {**versions(), "keras": sys.argv[2]}
options = {**UNIT, "batch_normalization": "synchronized"}
training.train(experiment(options=options), sys.argv[1])
"""


@pytest.mark.multiprocess
def test_another_version_is_refused_by_all(tmp_path, backend):
    arguments = [(tmp_path, "3.14.0"), (tmp_path, "3.15.0")]
    for done in ended(start_workers(OF_VERSION, arguments, backend=backend)):
        assert done.returncode == 1
        assert 'keras is "3.14.0" on worker 0 and "3.15.0" on' in done.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.multiprocess
def test_goes_on_with_another_number_of_workers(tmp_path, backend):
    # 4 steps on two workers, 4 on one, 4 on two.
    for done in ended(train_together(tmp_path, backend, 1, STEP, 4, "SIGTERM")):
        assert done.returncode == 128 + signal.SIGTERM
    arguments = (INTERRUPTED, tmp_path, 1, STEP, 4, "SIGTERM")
    alone = (
        Started(*arguments, KERAS_BACKEND="jax").wait()
        if backend == "jax"
        else run_forked(*arguments)
    )
    assert "Resuming at step 4 of 12" in alone.stdout
    assert saved(tmp_path)[0][-1] == 8
    for done in ended(train_together(tmp_path, backend)):
        assert done.returncode == 0, done.stderr
        assert "Resuming at step 8 of 12" in done.stdout
    assert (tmp_path / "metrics.csv").read_text().count("\n") == 4
    # Killed after the last checkpoint, before the network is saved.
    (tmp_path / "model.keras").unlink()
    assert_all_well(ended(train_together(tmp_path, backend)))
    assert (tmp_path / "model.keras").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ({"cluster": ["worker"]}, "cluster and task must be objects"),
        ({"cluster": ["ab", "cd"]}, "cluster and task must be objects"),
        (
            {"cluster": {"worker": ["a:1", "b:1"]}, "task": [1]},
            "cluster and task must be objects",
        ),
        ({"cluster": {"worker": "a:1"}}, "workers 'a:1'"),
        ({"cluster": {"worker": ["a", "b:1"]}}, "'a', 'b:1'"),
        (
            {"cluster": {"chief": ["a:1"], "worker": ["b:1"]}},
            "the roles chief; expected only workers",
        ),
        (
            {
                "cluster": {"worker": ["a:1", "b:1"]},
                "task": {"type": "evaluator", "index": 0},
            },
            "the roles evaluator",
        ),
        ({"cluster": {"worker": ["a:1", "b:1"]}}, "from 0 to 1"),
        (tf_config(["a:1", "b:1"], 2), "from 0 to 1"),
        (tf_config(["a:1", "a:1"], 0), "a worker twice"),
    ],
)
def test_bad_tf_config(monkeypatch, config, message):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"TF_CONFIG.*{message}"):
        of_environment()


@pytest.mark.parametrize("config", ["", "{}", tf_config(["a:1"], 0)])
def test_one_worker_is_one_process(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    assert of_environment() == (0, [])


def test_searches_and_studies_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", tf_config(["a:1", "b:1"], 1))
    with pytest.raises(ValueError, match="A search.*2 workers.*Unset"):
        tuning.search(experiment(), tmp_path)
    plan = studies.Plan(studies.STUDIES["quick"])
    with pytest.raises(ValueError, match="A study.*2 workers.*Unset"):
        studies.run_study(plan, tmp_path)
    assert not any(tmp_path.iterdir())


def test_workers_of_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(["a:1", "b:1"], 1))
    assert of_environment() == (1, ["a:1", "b:1"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"NUM_PROCESSES": ""}, "cannot be read.*NUM_PROCESSES"),
        ({"JOB_ADDRESSES": "a"}, "do not fit"),
        ({"JOB_ADDRESSES": "a:1,b:1,c:1"}, "do not fit"),
        ({"PROCESS_ID": "2"}, "do not fit"),
        ({}, "Set KERAS_BACKEND=jax, or unset"),
    ],
)
def test_bad_keras_variables(monkeypatch, given, message):
    for name, value in keras_variables(["a:1", "b:1"], 1).items():
        monkeypatch.setenv(name, value)
    for name, value in given.items():
        monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    with pytest.raises(ValueError, match=message):
        of_environment()
