"""Several jobs at once, and which GPUs each of them sees."""

import functools

import pytest
from small_training import experiment

from keras_resnetv2.jobs.job import Train
from keras_resnetv2.jobs.parent import AllStoppedError
from keras_resnetv2.jobs.pool import Gpus, Pool, Task, visible_gpus


def task(folder, name, replicas=None, echo=lambda line: None):
    job = Train(name, experiment(replicas=replicas))
    return Task(job, folder / f"{name}.txt", echo)


@pytest.mark.parametrize(
    "listed, gpus",
    [
        ("0,1", ["0", "1"]),
        ("3, GPU-8f", ["3", "GPU-8f"]),
        ("", []),
        ("-1", []),
        ("2,-1,0", ["2"]),
    ],
)
def test_the_gpus_that_a_child_would_see(monkeypatch, listed, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert visible_gpus() == gpus


@pytest.mark.parametrize("status, gpus", [(0, ["0", "1"]), (9, [])])
def test_the_gpus_that_nvidia_smi_finds(monkeypatch, tmp_path, status, gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho 0\necho 1\nexit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == gpus
    tool.unlink()
    assert visible_gpus() == []


def seen(environment):
    return environment.get("CUDA_VISIBLE_DEVICES")


def test_jobs_take_gpus_in_turn():
    gpus = Gpus("0123")
    with gpus.environment(2) as first, gpus.environment(None) as second:
        assert (seen(first), seen(second)) == ("0,1", "2")
        with gpus.environment(1) as third, gpus.environment(2) as fourth:
            # Nothing is free any more: the last one shares.
            assert (seen(third), seen(fourth)) == ("3", "0,1")
    with gpus.environment(9) as all_of_them:
        assert seen(all_of_them) == "0,1,2,3"


@pytest.mark.parametrize("names", ["", "0"])
def test_one_gpu_is_shared_as_it_is(names):
    with Gpus(names).environment(None) as environment:
        assert seen(environment) is None
        assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def do_all(pool, tasks):
    return pool.call(
        {name: functools.partial(pool.do, tasks[name]) for name in tasks}
    )


def test_what_the_jobs_of_a_pool_see(child, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    meet = 'touch "$0-$$"; while [ $(ls "$0"-* | wc -l) -lt 2 ]; do :; done'
    child(f'read job\n{meet}\necho "$CUDA_VISIBLE_DEVICES"')
    lines = []
    tasks = {
        name: task(tmp_path, name, replicas, lines.append)
        for name, replicas in (("two", 2), ("one", None))
    }
    ended = dict(do_all(Pool(2), tasks))
    assert ended == {"two": None, "one": None}
    assert sorted(lines) in (["4,5", "6"], ["4", "5,6"])


def test_one_job_at_a_time_sees_all(child, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    child('read job\necho "$CUDA_VISIBLE_DEVICES"')
    lines = []
    tasks = {name: task(tmp_path, name, 1, lines.append) for name in "ab"}
    pool = Pool(1)
    assert list(do_all(pool, tasks)) == [("a", None), ("b", None)]
    assert not pool._live
    assert lines == ["4,5,6", "4,5,6"]


def test_what_stops_one_stops_all(child, tmp_path):
    child(
        'read job; case "$job" in *full*) fail stops_all full; exit 1\n'
        "esac; cat; echo stopped; exit 143"
    )
    tasks = {name: task(tmp_path, name) for name in ("long", "full", "later")}
    with pytest.raises(AllStoppedError, match="full"):
        list(do_all(Pool(2), tasks))
    assert "stopped" in (tmp_path / "long.txt").read_text()
    # Of the later one: it may have begun, and was asked to stop.
    later = tmp_path / "later.txt"
    assert not later.exists() or "stopped" in later.read_text()
