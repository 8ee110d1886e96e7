"""Chief and workers over real gRPC, on loopback."""

import collections
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from concurrent import futures

import pytest

pytest.importorskip("keras_tuner")

import grpc  # noqa: E402

from keras_resnetv2.tuning import distributed  # noqa: E402
from keras_resnetv2.tuning.distributed import (  # noqa: E402
    WorkersGoneError,
    connect,
    serve,
)
from keras_resnetv2.tuning.oracles import RandomSearch, locked  # noqa: E402
from keras_resnetv2.tuning.trials import OBJECTIVE  # noqa: E402

BEAT = 0.1
SILENCE = 1.0
LIMIT = 20  # seconds for what takes a few
PROMPT = 5  # seconds for what takes one, on a busy machine


class Space:
    """All that an oracle asks of a `SearchSpace`."""

    def declare(self, hp):
        hp.Int("x", 0, 1000)
        hp.Boolean("more")
        with hp.conditional_scope("more", [True]):
            hp.Int("y", 0, 1000)

    def excess(self, values):
        return None


def make_oracle(directory, trials):
    path = directory / "search" / "oracle.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    oracle = RandomSearch(Space(), path, seed=1)
    oracle.max_trials = trials
    return oracle


def work(oracle, name, run=lambda trial: 0.1 + trial.hyperparameters["x"]):
    """A driver's loop; the ids of the trials it has done."""
    done = []
    while (trial := oracle.create_trial(name)).status != "STOPPED":
        if trial.status == "IDLE":
            time.sleep(0.05)
            continue
        oracle.update_trial(trial.trial_id, {OBJECTIVE: run(trial)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        done.append(trial.trial_id)
    return done


class Search:
    """A chief in a thread, and workers in others."""

    def __init__(self, directory, monkeypatch):
        self.directory = directory
        self.monkeypatch = monkeypatch
        self.pool = futures.ThreadPoolExecutor(4)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(self.port))

        self.silence(SILENCE)
        monkeypatch.setattr(distributed, "FIRST_WORKER", LIMIT)
        monkeypatch.setattr(distributed, "HEARTBEAT", BEAT)

    def silence(self, seconds):
        self.monkeypatch.setattr(distributed, "SILENCE", seconds)

    def start(self, trials):
        self.oracle = make_oracle(self.directory, trials)
        return self.serve()

    def serve(self):
        return self.pool.submit(serve, self.oracle)

    def connect(self, name):
        self.monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        return connect(make_oracle(self.directory / name, 0))

    def work(self, client):
        return self.pool.submit(work, client, client.tuner_id)


@pytest.fixture
def search(tmp_path, monkeypatch):
    search = Search(tmp_path, monkeypatch)
    yield search
    search.pool.shutdown()


def test_workers_share_the_trials(search, capfd):
    # The chief's end does not wait for silence.
    search.silence(10 * PROMPT)
    chief = search.start(trials=12)
    with search.connect("a") as a, search.connect("b") as b:
        shares = [search.work(client) for client in (a, b)]
        done = sum((share.result(LIMIT) for share in shares), [])
        chief.result(PROMPT)
    oracle = search.oracle
    assert sorted(done) == sorted(oracle.end_order) == sorted(oracle.trials)
    assert len(done) == 12
    for trial in oracle.trials.values():
        # 64 bits: 0.1 + x is no number of 32.
        assert trial.score == 0.1 + trial.hyperparameters["x"]
    assert capfd.readouterr().out == ""


def test_a_dead_workers_trial_goes_to_one_that_waits(search):
    chief = search.start(trials=1)
    with search.connect("b") as b:
        with search.connect("a") as a:
            trial = a.create_trial("a")
            assert b.create_trial("b").status == "IDLE"
        assert search.work(b).result(LIMIT) == [trial.trial_id]
        chief.result(PROMPT)
    assert search.oracle.end_order == [trial.trial_id]


def test_a_long_trial_is_no_silence(search):
    chief = search.start(trials=1)
    with search.connect("a") as a, search.connect("b") as b:
        trial = a.create_trial("a")
        time.sleep(2 * SILENCE)
        assert b.create_trial("b").status == "IDLE"
        a.update_trial(trial.trial_id, {OBJECTIVE: 1.0})
        trial.status = "COMPLETED"
        a.end_trial(trial)
        assert [search.work(x).result(LIMIT) for x in (a, b)] == [[], []]
    chief.result(PROMPT)


def test_a_last_heartbeat_brings_nobody_back(tmp_path):
    oracle = make_oracle(tmp_path, 1)
    work(oracle, "a")
    servicer = distributed._Servicer(oracle)
    said = [(distributed.WORKER, b"a")]
    servicer.GetSpace(
        None, types.SimpleNamespace(invocation_metadata=lambda: said)
    )
    assert servicer.silent == {}


def test_a_chief_whose_workers_are_gone_ends(search):
    chief = search.start(trials=2)
    with search.connect("a") as a:
        a.create_trial("a")
    start = time.monotonic()
    with pytest.raises(WorkersGoneError, match="0 of 2 trials are done"):
        chief.result(LIMIT)
    assert time.monotonic() - start < SILENCE + 2
    # The same command goes on from there.
    reloaded = make_oracle(search.directory, 2)
    reloaded.reload()
    assert len(work(reloaded, "b")) == 2


def test_a_chief_without_workers_ends(search, monkeypatch):
    monkeypatch.setattr(distributed, "FIRST_WORKER", 0.2)
    with pytest.raises(WorkersGoneError, match="No worker connected; 0 of 2"):
        search.start(trials=2).result(LIMIT)


def test_a_chief_that_has_nothing_to_do_ends(search):
    search.silence(0.2)
    search.oracle = make_oracle(search.directory, 1)
    work(search.oracle, "alone")
    search.serve().result(PROMPT)


def test_a_chief_started_again_waits_for_its_workers(search):
    before = make_oracle(search.directory, 1)
    before.create_trial("a")
    search.oracle = make_oracle(search.directory, 1)
    search.oracle.reload()
    chief = search.serve()
    time.sleep(2 * SILENCE)
    with search.connect("a") as a:
        assert len(search.work(a).result(LIMIT)) == 1
    chief.result(PROMPT)


def test_a_pause_of_the_chiefs_own_is_no_silence_of_the_workers(search):
    chief = search.start(trials=1)
    with search.connect("a") as a:
        trial = a.create_trial("a")
        with locked(search.oracle):
            # Heartbeats need no lock; these do not come, either.
            search.monkeypatch.setattr(distributed, "HEARTBEAT", 3 * SILENCE)
            time.sleep(2 * SILENCE)
        assert search.oracle.ongoing_trials["a"].trial_id == trial.trial_id
        search.monkeypatch.setattr(distributed, "HEARTBEAT", BEAT)
        assert search.work(a).result(LIMIT) == [trial.trial_id]
    chief.result(PROMPT)


def test_a_port_is_one_chiefs(search):
    chief = search.start(trials=1)
    with search.connect("a") as a:
        assert a.get_space()  # it listens
        with pytest.raises(OSError, match=f"{search.port}: the port is in use"):
            serve(make_oracle(search.directory / "other", 1))
        search.work(a).result(LIMIT)
    chief.result(PROMPT)


def test_the_first_result_of_a_trial_counts(search):
    chief = search.start(trials=1)
    oracle = search.oracle
    with contextlib.ExitStack() as living:
        b = living.enter_context(search.connect("b"))
        with search.connect("a") as a:
            late = a.create_trial("a")
            assert b.create_trial("b").status == "IDLE"
        until = time.monotonic() + LIMIT
        while not oracle._retry_queue and time.monotonic() < until:
            time.sleep(0.05)
        # Thought dead, "a" comes back before another worker has its trial.
        with search.connect("a") as a:
            a.update_trial(late.trial_id, {OBJECTIVE: 1.0})
            late.status = "COMPLETED"
            a.end_trial(late)
            assert oracle.end_order == [late.trial_id]
            b.update_trial(late.trial_id, {OBJECTIVE: 0.0})
            late.status = "FAILED"
            b.end_trial(late)
            assert [search.work(x).result(LIMIT) for x in (a, b)] == [[], []]
    chief.result(PROMPT)
    trial = oracle.trials[late.trial_id]
    assert oracle.end_order == [late.trial_id]
    assert (trial.status, trial.score) == ("COMPLETED", 1.0)
    assert trial.metrics.get_best_value(OBJECTIVE) == 1.0


def test_a_restarted_chief_leaves_a_trial_to_the_worker_at_it(search):
    search.silence(4)  # until both workers have connected
    before = make_oracle(search.directory, 3)
    running, dead = before.create_trial("a"), before.create_trial("gone")
    search.oracle = make_oracle(search.directory, 3)
    search.oracle.reload()
    with search.connect("a") as a, search.connect("b") as b:
        chief = search.serve()
        other = b.create_trial("b")
        assert other.trial_id not in (running.trial_id, dead.trial_id)
        shares = [search.work(client) for client in (a, b)]
        done = [share.result(LIMIT) for share in shares]
    chief.result(PROMPT)
    assert done[0][0] == running.trial_id and done[1][0] == other.trial_id
    assert dead.trial_id in done[0] + done[1] and len(done[0] + done[1]) == 3


def test_a_failed_trials_message_reaches_the_chief(search):
    chief = search.start(trials=1)
    with search.connect("a") as a:
        trial = a.create_trial("a")
        trial.status = "FAILED"
        trial.message = "x" * 10_000 + " out of memory: 7 GB für ein Gewicht"
        a.end_trial(trial)
        search.work(a).result(LIMIT)
    chief.result(PROMPT)
    kept = search.oracle.trials[trial.trial_id].message
    assert kept.endswith(" out of memory: 7 GB für ein Gewicht")


def test_an_oracle_that_raises_does_not_stop_the_others(search):
    chief = search.start(trials=2)
    with search.connect("a") as a, search.connect("b") as b:
        trial = a.create_trial("a")
        with pytest.raises(grpc.RpcError, match="Objective value missing"):
            a.update_trial(trial.trial_id, {"another": 1.0})
        for client in (b, a):
            search.work(client)
        chief.result(LIMIT)
    assert len(search.oracle.end_order) == 2


def test_a_worker_says_once_that_it_waits(search, caplog):
    with search.connect("a") as a:
        late = threading.Timer(2.5, lambda: chiefs.append(search.start(1)))
        chiefs = []
        late.start()
        assert len(search.work(a).result(LIMIT)) == 1
        late.join()
        chiefs[0].result(PROMPT)
    waits = [r for r in caplog.messages if r.startswith("No chief answers at")]
    assert len(waits) == 1 and f"127.0.0.1:{search.port}" in waits[0]


def test_the_lock_is_given_back(tmp_path):
    oracle = make_oracle(tmp_path, 1)
    with pytest.raises(KeyError), locked(oracle), locked(oracle):
        oracle.update_trial("no such trial", {OBJECTIVE: 1.0})
    with futures.ThreadPoolExecutor(1) as other:
        assert other.submit(oracle.create_trial, "a").result(5)


def test_ended_trials_are_not_run_again(tmp_path):
    before = make_oracle(tmp_path, 1)
    work(before, "a")
    after = make_oracle(tmp_path, 1)
    after.reload()
    assert after.create_trial("a").status == "STOPPED"


PROCESS = """
import pathlib, sys, time
sys.path.insert(0, sys.argv[1])
import test_chief_and_workers as here
from keras_resnetv2.tuning import distributed

directory, trials = pathlib.Path(sys.argv[2]), int(sys.argv[3])
seconds = float(sys.argv[4])
oracle = here.make_oracle(directory, trials)
distributed.SILENCE, distributed.HEARTBEAT = 3.0, 0.5

def run(trial):
    (directory / f"{trial.trial_id}.{client.tuner_id}").touch()
    time.sleep(seconds)
    return 1.0

if distributed.role() == "chief":
    if (directory / "search" / "oracle.json").exists():
        oracle.reload()
    distributed.serve(oracle)
    print(*oracle.end_order)
else:
    with distributed.connect(oracle) as client:
        print(*here.work(client, client.tuner_id, run))
"""


@pytest.fixture
def processes(search):
    """Starts processes of a search; all that live on are killed."""
    started = []

    def start(name, trials=8, seconds=0.05):
        search.monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        # JAX is imported faster than TensorFlow.
        search.monkeypatch.setenv("KERAS_BACKEND", "jax")
        tests = os.path.dirname(__file__)
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, tests, search.directory]
            + [str(trials), str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(directory, pattern):
    until = time.monotonic() + 60
    while not any(directory.glob(pattern)):
        assert time.monotonic() < until, pattern
        time.sleep(0.05)


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.split()


@pytest.mark.multiprocess
def test_three_processes(processes, search):
    # A trial lasts until the other worker is there.
    chief = processes("chief", trials=40)
    workers = [processes(name, 40, 0.2) for name in ("a", "b")]
    shares = [finish(worker) for worker in workers]
    start = time.monotonic()
    ended = finish(chief)
    assert time.monotonic() - start < 5
    assert all(shares)
    counts = collections.Counter(sum(shares, []))
    assert sorted(ended) == sorted(counts)
    assert set(counts.values()) == {1} and len(counts) == 40


@pytest.mark.multiprocess
def test_killed_workers_end_the_chief_and_a_new_one_goes_on(processes, search):
    chief = processes("chief", 4)
    workers = [processes(name, 4, 1000) for name in ("a", "b")]
    for name in "ab":
        wait_for(search.directory, f"*.{name}")
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    err = chief.communicate(timeout=30)[1]
    assert chief.returncode == 1
    assert "WorkersGoneError" in err and "0 of 4 trials are done" in err
    chief, worker = processes("chief", 4), processes("a", 4)
    assert sorted(finish(worker)) == sorted(finish(chief))


@pytest.mark.multiprocess
def test_a_killed_workers_trial_is_done_by_the_other(processes, search):
    chief = processes("chief", 3)
    killed = processes("a", 3, 1000)
    wait_for(search.directory, "*.a")
    other = processes("b", 3)
    wait_for(search.directory, "*.b")
    killed.send_signal(signal.SIGKILL)
    done = finish(other)
    assert sorted(done) == sorted(finish(chief)) and len(done) == 3


@pytest.mark.multiprocess
def test_a_killed_chief_can_be_started_again(processes, search):
    chief = processes("chief", 3)
    worker = processes("a", 3, 3)
    wait_for(search.directory, "*.a")
    chief.send_signal(signal.SIGKILL)
    chief = processes("chief", 3)
    done = finish(worker)
    assert sorted(done) == sorted(finish(chief)) and len(done) == 3
    assert len(list(search.directory.glob("*.a"))) == 3
