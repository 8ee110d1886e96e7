"""Runs of a study: which are done, and what becomes of those that fail."""

import contextlib
import dataclasses
import pathlib
import signal
import subprocess
import sys
import threading
import time

import keras
import pytest
from processes import Started
from small_study import PLAN, TINY, FakeTrainings

from keras_resnetv2._directories import locked
from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.pool import Pool
from keras_resnetv2.studies import Studydir, run_study, studydir

BACKEND = keras.backend.backend()
GOOD, EXPLODING = (
    f"PreActResNet20-fake-depth=8-widths=(4, 8, 16){options}-epochs=3"
    "-batch_size=128-seed="
    for options in ("", "-shortcut=constant_scaling-shortcut_scale=1e+30")
)


def plan(**changes):
    return dataclasses.replace(PLAN, **changes)


@pytest.fixture
def trainings(monkeypatch):
    return FakeTrainings(monkeypatch)


def waiting():
    """A process that ends with its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def names(workdir):
    return list(Studydir(workdir).results())


def test_trainings_that_learn_and_diverge(tmp_path, monkeypatch):
    """Real ones, at once."""
    short = plan(epochs=1)
    assert run_study(short, tmp_path, parallel=2, checkpoint_steps=3) == {}
    results = Studydir(tmp_path).results()
    good, exploding = (
        results[name.replace("epochs=3", "epochs=1") + "0"]
        for name in (GOOD, EXPLODING)
    )
    assert (good.status, good.reason, good.seed) == ("completed", None, 0)
    assert good.last == good.best == good.test_error[-1]
    assert len(good.train_error) == len(good.schedule["rates"]) == 1
    assert 0 < good.last < 1 and 0 < good.train_error[0] < 1
    assert good.schedule | {"rates": None} == {
        "recipe": "paper",
        "steps": 4,
        "epochs": 1,
        "batch_size": 128,
        "learning_rate": 0.1,
        "rates": None,
    }
    assert good.config["depth"] == 8 and good.experiment["dataset"] == "fake"
    assert good.versions["backend"] == BACKEND and good.versions[BACKEND]
    assert "cores" in good.device and good.seconds > 0
    assert exploding.status == "diverged"
    assert exploding.reason.startswith("DivergedError: ")
    assert "the training has diverged" in exploding.reason
    assert exploding.last is None
    checkpoints = Studydir(tmp_path).run(good.run).checkpoints
    # The last two are kept; without being asked for, there is one an epoch.
    assert {file.stem for file in checkpoints.glob("step-*.npz")} == {
        "step-000000003",
        "step-000000004",
    }
    # Both are results: nothing is left to do.
    monkeypatch.delattr(parent, "run")
    assert run_study(short, tmp_path) == {}


def test_a_seed_goes_through_all_rows_before_the_next(trainings, tmp_path):
    run_study(plan(seeds=2), tmp_path)
    assert trainings.jobs == [
        GOOD + "0",
        EXPLODING + "0",
        GOOD + "1",
        EXPLODING + "1",
    ]


def test_more_seeds_add_runs(trainings, tmp_path):
    run_study(plan(seeds=1), tmp_path)
    run_study(plan(seeds=2), tmp_path)
    assert trainings.jobs[2:] == [GOOD + "1", EXPLODING + "1"]
    run_study(plan(seeds=1), tmp_path)
    assert len(trainings.jobs) == 4
    [kept] = Studydir(tmp_path).plans()
    assert kept.seeds == 2


def test_rows_that_are_chosen(trainings, tmp_path):
    run_study(PLAN, tmp_path, rows=("exploding",))
    assert trainings.jobs == [EXPLODING + "0"]
    with pytest.raises(ValueError, match="'tiny': received bad; .* of good, e"):
        run_study(PLAN, tmp_path, rows=("good", "bad"))


def test_the_last_test_error_counts(trainings, tmp_path):
    run_study(PLAN, tmp_path)
    result = Studydir(tmp_path).results()[GOOD + "0"]
    assert result.test_error == [0.5, 0.25, 0.3]
    assert (result.last, result.best) == (0.3, 0.25)
    assert result.schedule["rates"] == [0.1] * 3
    assert result.config["classes"] == 2  # the data's, not the model's 10


@pytest.mark.parametrize("epochs", [[], [1, 2], [2, 3]])
def test_a_run_that_lacks_epochs_is_told(trainings, tmp_path, epochs):
    trainings.epochs = epochs
    crashed = run_study(PLAN, tmp_path)
    assert set(crashed) == {GOOD + "0", EXPLODING + "0"}
    assert (
        "does not contain all epochs of this training's 6 steps"
        in crashed[GOOD + "0"]
    )
    assert names(tmp_path) == []


def test_a_diverged_run_is_a_result_with_the_epochs_before(trainings, tmp_path):
    trainings.errors["scale"] = parent.TrainingDivergedError("NaN at 3")
    assert run_study(PLAN, tmp_path) == {}
    result = Studydir(tmp_path).results()[EXPLODING + "0"]
    assert (result.status, result.reason) == ("diverged", "NaN at 3")
    assert (result.last, result.test_error) == (None, [0.5])
    run_study(PLAN, tmp_path)
    assert len(trainings.jobs) == 2


def test_a_crashed_run_is_told_and_tried_again(trainings, tmp_path, capsys):
    trainings.errors["seed=0"] = parent.TrainingFailedError("no memory")
    crashed = run_study(plan(seeds=2), tmp_path)
    assert crashed == dict.fromkeys([GOOD + "0", EXPLODING + "0"], "no memory")
    assert f"{GOOD}0: crashed: no memory" in capsys.readouterr().out
    assert names(tmp_path) == [GOOD + "1", EXPLODING + "1"]
    trainings.errors.clear()
    trainings.jobs.clear()
    assert run_study(plan(seeds=2), tmp_path) == {}
    assert trainings.jobs == [GOOD + "0", EXPLODING + "0"]
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize(
    "error", [parent.AllStoppedError("disk full"), KeyboardInterrupt()]
)
def test_what_stops_all_leaves_the_results_there_are(
    trainings, tmp_path, error
):
    trainings.errors["scale"] = error
    with pytest.raises(type(error)):
        run_study(plan(seeds=2), tmp_path)
    assert GOOD + "0" in names(tmp_path)
    assert EXPLODING + "0" not in names(tmp_path)
    trainings.errors.clear()
    run_study(plan(seeds=2), tmp_path)
    assert len(names(tmp_path)) == 4


def test_as_many_at_once_as_asked_for(trainings, tmp_path):
    trainings.meeting = threading.Barrier(2)  # one alone would not pass
    run_study(plan(seeds=2), tmp_path, parallel=2)
    assert trainings.at_once == 2
    assert all(
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
        for environment in trainings.environments
    )


def test_one_alone_may_take_the_whole_gpu(trainings, tmp_path):
    run_study(PLAN, tmp_path)
    assert trainings.at_once == 1 and trainings.environments == [{}, {}]


def test_the_others_are_asked_to_stop(tmp_path, monkeypatch):
    """One fails for want of something; the other waits to be asked."""
    began, ended = threading.Event(), []

    def train(job, log, echo, begun, environment):
        if "scale" in job.workdir:
            assert began.wait(timeout=60)
            raise parent.AllStoppedError("disk full")
        with waiting() as process:
            begun(process)
            began.set()
            ended.append(process.wait(timeout=60))
        raise parent.AllStoppedError("stopped")

    monkeypatch.setattr(parent, "run", train)
    with pytest.raises(parent.AllStoppedError, match="disk full"):
        run_study(PLAN, tmp_path, parallel=2)
    assert len(ended) == 1


def test_no_other_begins(tmp_path, monkeypatch):
    jobs = []

    def train(job, log, echo, begun, environment):
        jobs.append(job)
        if len(jobs) > 1:  # until it is asked to stop
            with waiting() as process:
                begun(process)
                process.wait(timeout=60)
        raise parent.AllStoppedError("disk full")

    monkeypatch.setattr(parent, "run", train)
    with pytest.raises(parent.AllStoppedError, match="disk full"):
        run_study(plan(seeds=3), tmp_path)
    assert len(jobs) <= 2


def test_one_that_begins_too_late_is_asked_as_well():
    def fail():
        raise parent.AllStoppedError("disk full")

    pool = Pool(1)
    with pytest.raises(parent.AllStoppedError, match="disk full"):
        list(pool.call({"one": fail}))
    with waiting() as process:
        pool._begun(process)
        process.wait(timeout=60)


@pytest.mark.parametrize("parallel", [1, 2])
def test_processes_share_the_runs(trainings, tmp_path, parallel):
    """Locks are the same between threads as between processes."""
    studies = [
        threading.Thread(
            target=run_study,
            args=(plan(seeds=4), tmp_path),
            kwargs={"parallel": parallel},
        )
        for _ in range(3)
    ]
    for study in studies:
        study.start()
    for study in studies:
        study.join(60)
    runs = [name + str(s) for s in range(4) for name in (GOOD, EXPLODING)]
    assert sorted(trainings.jobs) == sorted(names(tmp_path)) == sorted(runs)


def test_a_run_of_another_process_is_left_to_it(trainings, tmp_path, capsys):
    elsewhere = Studydir(tmp_path)
    elsewhere.claim(PLAN)
    with elsewhere.claimed(GOOD + "0"):
        assert run_study(PLAN, tmp_path) == {}
    assert trainings.jobs == names(tmp_path) == [EXPLODING + "0"]
    told = capsys.readouterr().out
    assert told.endswith(f"Other processes are doing: {GOOD}0\n")
    run_study(PLAN, tmp_path)
    assert trainings.jobs == [EXPLODING + "0", GOOD + "0"]


def test_a_run_of_a_killed_process_is_taken_over(
    trainings, tmp_path, monkeypatch
):
    elsewhere, claim = Studydir(tmp_path), contextlib.ExitStack()
    elsewhere.claim(PLAN)
    claim.enter_context(elsewhere.claimed(GOOD + "0"))

    def train(job, *args, **kwargs):
        claim.close()  # the other process is killed in the meantime
        return trainings(job, *args, **kwargs)

    monkeypatch.setattr(parent, "run", train)
    assert run_study(PLAN, tmp_path) == {}
    assert trainings.jobs == [EXPLODING + "0", GOOD + "0"]


SHARING = """
import sys
sys.path.append(sys.argv[2])
import test_execution
from keras_resnetv2.studies import run_study
assert run_study(test_execution.LONGER, sys.argv[1], checkpoint_steps=1) == {}
"""
LONGER = plan(
    study=dataclasses.replace(TINY, rows=TINY.rows[:1], tables={}), seeds=3
)


@pytest.mark.multiprocess
def test_processes_end_the_study_of_a_killed_one(tmp_path):
    """Three; one of them is killed when there is a checkpoint."""
    here = pathlib.Path(__file__).parent
    studies = [
        Started(SHARING, tmp_path / "shared", here, KERAS_BACKEND=BACKEND)
        for _ in range(3)
    ]
    runs = tmp_path / "shared" / "runs"
    deadline = time.monotonic() + 120
    while not list(runs.glob("*/checkpoints/step-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    studies[0].send(signal.SIGKILL)
    ended = [study.wait(seconds=240) for study in studies]
    assert [one.returncode for one in ended] == [-signal.SIGKILL, 0, 0], ended
    shared = Studydir(tmp_path / "shared").results()
    run_study(LONGER, tmp_path / "alone")
    alone = Studydir(tmp_path / "alone").results()
    assert shared.keys() == alone.keys() and len(alone) == 3
    for name, result in alone.items():
        assert shared[name].test_error == result.test_error
        log = Studydir(tmp_path / "shared").log(name).read_text()
        assert log.count("epoch 3  ") == 1  # no other process did it again


def test_results_of_other_processes_are_kept(trainings, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    run_study(plan(seeds=2), elsewhere)
    [*others, last] = Studydir(elsewhere).results().values()
    trainings.jobs.clear()

    def train(*args, **kwargs):
        for result in others:
            Studydir(tmp_path / "here").add(result)
        return trainings(*args, **kwargs)

    monkeypatch.setattr(parent, "run", train)
    # The first is done twice: its result is written while it trains.
    run_study(plan(seeds=2), tmp_path / "here")
    assert trainings.jobs == [GOOD + "0", last.run]
    assert len(names(tmp_path / "here")) == 4


def test_a_study_of_version_0_1_keeps_the_directory(
    trainings, tmp_path, monkeypatch
):
    monkeypatch.setattr(studydir, "_WAIT", 0.1)
    with locked(tmp_path):
        with pytest.raises(ValueError, match="Another process is using"):
            run_study(PLAN, tmp_path)


@pytest.mark.parametrize("name", ["parallel", "checkpoint_steps"])
def test_numbers_are_at_least_1(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} .* at least 1; received 0"):
        run_study(PLAN, tmp_path / "new", **{name: 0})
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_directory_of_studies(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file. Give a directory."):
        run_study(PLAN, tmp_path / "file")


def test_what_two_studies_share_is_done_once(trainings, tmp_path):
    other = dataclasses.replace(
        TINY, name="other", rows=TINY.rows[:1], tables={}
    )
    run_study(PLAN, tmp_path)
    run_study(plan(study=other), tmp_path)
    assert trainings.jobs == [GOOD + "0", EXPLODING + "0"]
    second, first = Studydir(tmp_path).plans()
    results = Studydir(tmp_path).results()
    assert [run.run for run in first.results(results)["good"]] == [GOOD + "0"]
    assert second.results(results).keys() == {"good"}
