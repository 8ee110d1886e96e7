"""The search as a whole; what its trainings leave behind is made up."""

import contextlib
import csv
import dataclasses
import errno
import functools
import os
import threading
import time
import types

import pytest
import small_training
from processes import run_python

pytest.importorskip("keras_tuner")

from fake_trainings import (  # noqa: E402
    TEST,
    FakeTrainings,
    error_of,
)

from keras_resnetv2 import tuning  # noqa: E402
from keras_resnetv2._directories import LockedError  # noqa: E402
from keras_resnetv2.jobs import parent  # noqa: E402
from keras_resnetv2.jobs.job import Train  # noqa: E402
from keras_resnetv2.jobs.parent import (  # noqa: E402
    AllStoppedError,
    TrainingFailedError,
)
from keras_resnetv2.training import Experiment, read_settings  # noqa: E402
from keras_resnetv2.tuning import searching, trial_report  # noqa: E402
from keras_resnetv2.tuning.oracles import FAILURES_IN_A_ROW  # noqa: E402

# Its size is what is searched.
experiment = functools.partial(small_training.experiment, options={"depth": 8})
BASE = experiment(epochs=2, held_out=0.25, seed=5)
SPACE = {"depth": [8, 14, 20], "learning_rate": (0.01, 0.3)}


@pytest.fixture
def trainings(monkeypatch):
    # Its plots have tests of their own, and take most of the time.
    monkeypatch.setattr(trial_report, "plot_trials", lambda *args: None)
    return FakeTrainings().install(monkeypatch)


def search(workdir, **changes):
    settings = {"max_trials": 5, "space": SPACE, "search": (), **changes}
    base = settings.pop("base", BASE)
    return tuning.search(base, workdir, **settings)


def test_names_may_come_from_an_iterator(trainings, tmp_path):
    space = {"depth": [8, 14]}
    names = ["learning_rate"]
    search(tmp_path, space=space, search=iter(names))
    for job in trainings.jobs[:-1]:
        assert job.experiment.learning_rate is not None
    # The same search, which has nothing left to do.
    search(tmp_path, space=space, search=names)
    assert len(trainings.trained) == 5


def test_the_best_is_found_written_and_tested_once(trainings, tmp_path, capsys):
    found = search(tmp_path / "search", data_dir="here")
    assert [row.trial for row in found.rows] == trainings.trained
    experiments = [job.experiment for job in trainings.jobs[:-1]]
    errors = list(map(error_of, experiments))
    assert [row.error for row in found.rows] == errors
    assert all(
        (e.epochs, e.held_out, e.seed) == (2, 0.25, 5) for e in experiments
    )
    assert {row.epochs for row in found.rows} == {2}
    assert {row.seconds for row in found.rows} == {8.0}
    winner = errors.index(min(errors))
    assert found.best == found.rows[winner]
    assert trainings.tested == [found.best.trial]
    assert found.test == TEST
    assert {job.data_dir for job in trainings.jobs} == {os.path.abspath("here")}

    # In full: the same settings on all images, for as long as the recipe says.
    best = Experiment(**read_settings(tmp_path / "search" / "best.json"))
    assert best == found.experiment
    assert best.epochs is None and best.held_out is None
    assert best.options == experiments[winner].options
    assert best.learning_rate == experiments[winner].learning_rate

    with open(tmp_path / "search" / "trials.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == trainings.trained
    assert [float(row["error"]) for row in rows] == errors
    assert "130 held-out" in (tmp_path / "search" / "trials.md").read_text()
    [told] = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(f"trial {found.best.trial} ") and "%" in line
    ]
    assert told.endswith("(best so far)")

    jobs = len(trainings.jobs)
    assert search(tmp_path / "search", data_dir="here") == found
    assert len(trainings.jobs) == jobs


def test_more_trials_later(trainings, tmp_path):
    few = search(tmp_path, max_trials=2)
    trainings.jobs.clear()
    more = search(tmp_path, max_trials=12)
    assert len(trainings.trained) == 10
    assert more.rows[:2] == few.rows
    assert [row.trial for row in more.rows[2:]] == trainings.trained
    # Another winner is another reading of the test set, the same is none.
    assert trainings.tested == [more.best.trial] * (
        more.best.trial != few.best.trial
    )


def test_failing_trials_are_told_and_the_search_goes_on(trainings, tmp_path):
    trainings.failing = {
        1: TrainingFailedError("DivergedError: NaN"),
        2: TrainingFailedError("perhaps out of memory"),
    }
    found = search(tmp_path)
    assert [row.status for row in found.rows] == [
        *("completed", "failed", "failed", "completed", "completed")
    ]
    assert found.rows[1].reason == "DivergedError: NaN"
    assert found.rows[2].reason == "perhaps out of memory"
    assert found.best.status == "completed"
    assert "perhaps out of memory" in (tmp_path / "trials.csv").read_text()
    trainings.jobs.clear()
    assert search(tmp_path) == found
    assert trainings.jobs == []


@pytest.mark.parametrize(
    "error", [AllStoppedError("no data"), KeyboardInterrupt()]
)
def test_what_is_no_trials_fault_leaves_it_to_the_next_call(
    trainings, tmp_path, error
):
    trainings.failing = {2: error}
    with pytest.raises(type(error)):
        search(tmp_path)
    assert len(trainings.trained) == 3
    cut_off = trainings.jobs[2]
    trainings.failing = {}
    trainings.jobs.clear()
    found = search(tmp_path)
    assert trainings.jobs[0] == cut_off
    assert len(trainings.trained) == 3
    assert [row.status for row in found.rows] == ["completed"] * 5


def test_a_test_that_is_cut_off_is_done_by_the_next_call(trainings, tmp_path):
    trainings.failing = {5: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path)
    found = search(tmp_path)
    assert found.test == TEST
    assert trainings.tested == [found.best.trial] * 2


@pytest.mark.parametrize(
    "error", [AllStoppedError("no test images"), TrainingFailedError("NaN")]
)
def test_a_winner_that_cannot_be_tested_is_told(
    trainings, tmp_path, error, caplog
):
    trainings.failing = {5: error}
    found = search(tmp_path)
    assert found.test is None and found.best == tuning.best(found.rows)
    assert f"could not be tested: {error}" in caplog.text
    found = search(tmp_path)
    assert found.test == TEST
    assert trainings.tested == [found.best.trial] * 2


def test_a_space_that_is_used_up_is_told(trainings, tmp_path, caplog):
    found = search(tmp_path, space={"depth": [8, 14, 20]}, max_trials=9)
    assert len(found.rows) == 3
    assert "ended after 3 of 9 trials" in caplog.text


class Chief:
    """What a worker sees of it; it has begun to search when it is asked."""

    tuner_id = "worker-1"

    def __init__(self, begin):
        self.begin = begin

    def get_space(self):
        self.begin()

    def create_trial(self, tuner_id):
        return types.SimpleNamespace(status="STOPPED")


@pytest.mark.parametrize(
    "changes, says",
    [
        ({}, None),
        ({"max_parameters": 10_000_000}, "max_parameters: 10000000 there"),
        (None, "not in this workdir"),
    ],
)
def test_a_worker_searches_what_its_chief_does(
    trainings, tmp_path, monkeypatch, changes, says
):
    def begin():
        if changes is not None:
            with monkeypatch.context() as alone:
                alone.setattr(searching.distributed, "role", lambda: None)
                search(tmp_path, max_trials=1, **changes)
            trainings.jobs.clear()

    @contextlib.contextmanager
    def connect(oracle):
        yield Chief(begin)

    monkeypatch.setattr(searching.distributed, "role", lambda: "worker")
    monkeypatch.setattr(searching.distributed, "connect", connect)
    if says is None:
        assert search(tmp_path) is None
    else:
        with pytest.raises(ValueError, match=says):
            search(tmp_path)
    assert trainings.jobs == []


def test_without_any_result(trainings, tmp_path):
    trainings.failing = dict.fromkeys(range(3), TrainingFailedError("NaN"))
    with pytest.raises(ValueError, match="None of the 3 trials.*NaN.*logs"):
        search(tmp_path, max_trials=3)
    assert not (tmp_path / "best.json").exists()
    assert len(search(tmp_path, max_trials=4).rows) == 4


def test_a_search_that_gives_up_says_so(trainings, tmp_path, caplog):
    trainings.failing = dict.fromkeys(
        range(1, 1 + FAILURES_IN_A_ROW), TrainingFailedError("no kernel")
    )
    found = search(tmp_path, max_trials=13)
    assert len(found.rows) == 1 + FAILURES_IN_A_ROW
    assert "10 trials in a row failed" in caplog.text
    assert "no kernel" in caplog.text
    trainings.failing = {}
    assert len(search(tmp_path, max_trials=13).rows) == 13


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"tuner": "grid"}, "tuner: 'random' there, 'grid' asked for"),
        ({"base": experiment(epochs=2, seed=6)}, "base: .*asked for"),
        (
            {"space": {**SPACE, "learning_rate": [0.01, 0.3]}},
            r"'range': \[0.01, 0.3\].* there, .*'learning_rate': \[0.01, 0.3\]",
        ),
        ({"search": ["width"]}, r"search: \[\] there, \['width'\]"),
        ({"max_parameters": 10**9}, "max_parameters: None there, 1000000000"),
        ({"max_flops": 10**9}, "max_flops: None there, 1000000000"),
    ],
)
def test_other_settings_are_refused(trainings, tmp_path, changes, says):
    search(tmp_path, max_trials=1)
    trainings.jobs.clear()
    with pytest.raises(ValueError, match=says):
        search(tmp_path, **changes)
    assert trainings.jobs == []


def test_two_searches_in_one_directory(trainings, tmp_path):
    refused = []

    def run(job, *rest, **more):
        if not refused and isinstance(job, Train):
            with pytest.raises(LockedError, match="Another process") as error:
                search(tmp_path)
            refused.append(error)
        return trainings(job, *rest, **more)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(parent, "run", run)
        found = search(tmp_path)
    assert refused and len(found.rows) == 5


def test_trials_at_once_have_gpus_of_their_own(
    trainings, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    trainings.meeting = threading.Barrier(2)
    base = dataclasses.replace(BASE, replicas=2)
    found = search(tmp_path, base=base, max_trials=4, parallel=2)
    assert len(found.rows) == 4 and found.test == TEST
    assert len(trainings.trained) == 4
    seen = [e["CUDA_VISIBLE_DEVICES"] for e in trainings.environments[:4]]
    assert sorted(seen[:2]) == sorted(seen[2:]) == ["4,5", "6,7"]
    out = capsys.readouterr().out
    assert {f"trial {n}  epoch 2/2" for n in range(4)} <= set(out.splitlines())


@pytest.mark.parametrize("tuner", ["random", "hyperband", "bayesian", "grid"])
def test_trials_at_once_are_those_of_one_at_a_time(trainings, tmp_path, tuner):
    # Few enough that every tuner comes to all of them.
    settings = {
        "tuner": tuner,
        "max_trials": None if tuner == "hyperband" else 6,
        "space": {"depth": [8, 14, 20], "learning_rate": [0.05, 0.1]},
    }
    several = search(tmp_path / "several", parallel=3, **settings)
    one = search(tmp_path / "one", **settings)
    assert all(row.status == "completed" for row in several.rows)
    assert len({row.trial for row in several.rows}) == len(several.rows)
    assert {tuple(sorted(row.values.items())) for row in several.rows} == {
        tuple(sorted(row.values.items())) for row in one.rows
    }
    assert several.best.error == one.best.error
    # One at a time sees what it finds there.
    assert trainings.environments[-1] == {}


@pytest.mark.parametrize(
    "error", [AllStoppedError("no data"), KeyboardInterrupt()]
)
def test_what_stops_one_trial_stops_all(trainings, tmp_path, error):
    trainings.failing = {3: error}
    with pytest.raises(type(error)):
        search(tmp_path, parallel=2, max_trials=8)
    assert len(trainings.trained) in (4, 5)
    trainings.failing = {}
    found = search(tmp_path, parallel=2, max_trials=8)
    assert [row.status for row in found.rows] == ["completed"] * 8
    # Only what was cut off was begun again.
    assert len(trainings.trained) <= 8 + 2


def test_one_that_waits_is_stopped_too(trainings, tmp_path):
    # The last trial stops all, while the other thread waits for its result.
    trainings.failing = {2: AllStoppedError("no data")}
    trainings.seconds = {2: 2.5}
    grid = {"tuner": "grid", "space": {"depth": [8, 14, 20]}, "parallel": 2}
    with pytest.raises(AllStoppedError, match="no data"):
        search(tmp_path, max_trials=None, **grid)
    trainings.failing = {}
    found = search(tmp_path, max_trials=None, **grid)
    assert [row.status for row in found.rows] == ["completed"] * 3


def test_a_trial_is_complete_once_it_has_its_score(
    trainings, tmp_path, monkeypatch
):
    """Hyperband looks at all trials while another one ends."""
    from keras_resnetv2.tuning import oracles

    def end_slowly(oracle, trial):
        time.sleep(0.05)
        end(oracle, trial)

    end = oracles.Hyperband.end_trial
    monkeypatch.setattr(oracles.Hyperband, "end_trial", end_slowly)
    base = experiment(epochs=9, held_out=0.25)
    found = search(
        tmp_path, base=base, tuner="hyperband", max_trials=None, parallel=4
    )
    assert {row.status for row in found.rows} == {"completed"}


def test_a_state_that_cannot_be_written_ends_a_search(
    trainings, tmp_path, monkeypatch
):
    from keras_resnetv2.tuning import oracles

    def full(path, text, written=[]):
        written.append(path)
        if len(written) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, text)

    write = oracles.write_atomically
    monkeypatch.setattr(oracles, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        search(tmp_path, parallel=2, max_trials=8)
    monkeypatch.setattr(oracles, "write_atomically", write)
    assert len(search(tmp_path, parallel=2, max_trials=8).rows) == 8


def test_several_at_once_are_for_one_machine(trainings, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker-1")
    with pytest.raises(ValueError, match="parallel=2 is for .* one machine"):
        search(tmp_path, parallel=2)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="parallel must be a whole number, at"):
        search(tmp_path / "search", parallel=0)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["experiment.json", "trials", "notes.txt"])
def test_a_directory_that_holds_something_else(trainings, tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match="neither empty nor.*search.json"):
        search(tmp_path)
    assert os.listdir(tmp_path) == [name] and trainings.jobs == []


def test_the_trace_of_a_search_killed_at_once_is_nothing(trainings, tmp_path):
    (tmp_path / ".lock").touch()
    assert len(search(tmp_path).rows) == 5


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": 1'])
def test_settings_that_are_none(trainings, tmp_path, text):
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(ValueError, match="search.json cannot be read"):
        search(tmp_path)
    assert os.listdir(tmp_path) == ["search.json"] and trainings.jobs == []


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"tuner": "annealing"}, "'annealing'.*'hyperband'"),
        ({"max_trials": 0}, "max_trials must be a whole number, at"),
        ({"space": {"colour": [1]}}, "colour"),
        ({"max_parameters": 10}, "No network of this space"),
    ],
)
def test_bad_settings_leave_nothing_behind(trainings, tmp_path, changes, says):
    with pytest.raises(ValueError, match=says):
        search(tmp_path / "search", **changes)
    assert not (tmp_path / "search").exists() and trainings.jobs == []


def test_defaults_of_a_trial(trainings, tmp_path):
    search(tmp_path, base=experiment(epochs=None), max_trials=1)
    settings = trainings.jobs[0].experiment
    assert (settings.epochs, settings.held_out) == (10, 0.1)


def test_hyperband_goes_on_inside_the_trials(trainings, tmp_path):
    base = experiment(epochs=4, held_out=0.25)
    found = search(tmp_path, base=base, tuner="hyperband", max_trials=None)
    jobs = {
        os.path.basename(job.workdir): job
        for job in trainings.jobs
        if isinstance(job, Train)
    }
    continued = [job for job in jobs.values() if job.begin_from]
    assert 0 < len(continued) < len(jobs)
    for job in continued:
        path, previous = os.path.split(job.begin_from)
        assert path == str(tmp_path / "trials")
        before, now = jobs[previous].experiment, job.experiment
        assert before.epochs == 2 and now.epochs == 4
        assert dataclasses.replace(before, epochs=4) == now
    assert [row.epochs for row in found.rows] == [
        job.experiment.epochs for job in jobs.values()
    ]


MEMORY = """
import gc, pathlib, sys
sys.path.insert(0, sys.argv[1])
from small_training import experiment
from keras_resnetv2 import tuning
from keras_resnetv2.jobs import parent
from tuning.fake_trainings import FakeTrainings

fake, resident = FakeTrainings(), []

def run(job, *rest, **more):
    gc.collect()
    status = pathlib.Path("/proc/self/status").read_text()
    resident.append(int(status.split("VmRSS:")[1].split()[0]))
    return fake(job, *rest, **more)

parent.run = run
tuning.search(
    experiment(epochs=2, held_out=0.25, options={"depth": 8}), sys.argv[2],
    max_trials=20, search=["learning_rate"], space={"depth": [8, 14]})
print("kB", resident[3], resident[20])
"""


@pytest.mark.multiprocess
@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="counts as Linux does"
)
def test_memory_does_not_grow(tmp_path):
    tests = os.path.dirname(os.path.dirname(__file__))
    # JAX is imported faster than TensorFlow.
    out = run_python(MEMORY, tests, tmp_path, backend="jax")
    after_3, after_20 = map(int, out.split("kB")[1].split())
    assert after_20 <= 1.15 * after_3
    assert (tmp_path / "trials.png").stat().st_size
