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
from concurrent import futures

import pytest

pytest.importorskip("keras_tuner")

import grpc  # noqa: E402
from keras_tuner.src import protos  # noqa: E402

from keras_resnetv2.tuning.distributed.chief import (  # noqa: E402
    WorkersGoneError,
    serve,
)
from keras_resnetv2.tuning.distributed.oracle_state import locked  # noqa: E402
from keras_resnetv2.tuning.distributed.patient_stub import (  # noqa: E402
    PatientStub,
)
from keras_resnetv2.tuning.distributed.roles import address  # noqa: E402
from keras_resnetv2.tuning.distributed.worker import connect  # noqa: E402
from keras_resnetv2.tuning.oracles import RandomSearch  # noqa: E402
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

    def start(self, trials, **options):
        self.oracle = make_oracle(self.directory, trials)
        return self.serve(**options)

    def serve(self, **options):
        options = {"silence": SILENCE, "first_worker": LIMIT, **options}
        return self.pool.submit(serve, self.oracle, **options)

    def connect(self, name, **options):
        self.monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        oracle = make_oracle(self.directory / name, 0)
        return connect(oracle, **{"heartbeat": BEAT, **options})

    def work(self, client):
        return self.pool.submit(work, client, client.tuner_id)


@pytest.fixture
def search(tmp_path, monkeypatch):
    search = Search(tmp_path, monkeypatch)
    yield search
    search.pool.shutdown()


def test_workers_share_the_trials(search, capfd):
    # The chief's end does not wait for silence.
    chief = search.start(trials=12, silence=10 * PROMPT)
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
    assert len(reloaded._retry_queue) == 1


def test_a_chief_without_workers_ends(search):
    with pytest.raises(WorkersGoneError, match="No worker came within 0.2 s"):
        search.start(trials=2, first_worker=0.2).result(LIMIT)


def test_a_chief_that_has_nothing_to_do_ends(search):
    search.oracle = make_oracle(search.directory, 1)
    work(search.oracle, "alone")
    search.serve(silence=0.2).result(PROMPT)


def test_a_port_is_one_chiefs(search):
    chief = search.start(trials=1)
    with search.connect("a") as a:
        assert a.get_space()  # it listens
        with pytest.raises(OSError, match=f"{search.port}: the port is in use"):
            serve(make_oracle(search.directory / "other", 1), first_worker=1)
        search.work(a).result(LIMIT)
    chief.result(PROMPT)


@pytest.mark.parametrize("name", ["silence", "first_worker"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "30"])
def test_seconds_are_checked(search, name, value):
    with pytest.raises(ValueError, match=name):
        serve(make_oracle(search.directory, 1), **{name: value})


def test_the_first_result_of_a_trial_counts(search):
    chief = search.start(trials=1)
    oracle = search.oracle
    with contextlib.ExitStack() as living:
        b = living.enter_context(search.connect("b"))
        with search.connect("a") as a:
            late = a.create_trial("a")
        until = time.monotonic() + LIMIT
        while not oracle._retry_queue and time.monotonic() < until:
            time.sleep(0.05)
        # Thought dead, "a" comes back before another worker has its trial.
        with search.connect("a") as a:
            a.update_trial(late.trial_id, {OBJECTIVE: 1.0})
            late.status = "COMPLETED"
            a.end_trial(late)
            assert oracle._retry_queue == []
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
    before = make_oracle(search.directory, 2)
    running = before.create_trial("a")
    search.oracle = make_oracle(search.directory, 2)
    search.oracle.reload()
    assert search.oracle._retry_queue == [running.trial_id]
    with search.connect("a") as a, search.connect("b") as b:
        a.running = running.trial_id
        chief = search.serve()
        a.get_space()  # connected; heartbeats come through
        time.sleep(10 * BEAT)
        other = b.create_trial("b")
        assert other.trial_id != running.trial_id
        assert a.create_trial("a").trial_id == running.trial_id
        shares = [search.work(client) for client in (a, b)]
        done = [share.result(LIMIT) for share in shares]
    chief.result(PROMPT)
    assert done == [[running.trial_id], [other.trial_id]]


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


def test_the_last_error_is_the_cause_of_the_end(search):
    chief = search.start(trials=2)
    with search.connect("a") as a:
        a.create_trial("a")
        with pytest.raises(grpc.RpcError):
            a.get_trial("no such trial")
    with pytest.raises(WorkersGoneError, match="All workers are gone") as gone:
        chief.result(LIMIT)
    assert isinstance(gone.value.__cause__, KeyError)


def test_so_it_is_where_no_worker_got_as_far_as_a_trial(search):
    chief = search.start(trials=2, first_worker=3)
    # A client's first heartbeat is as early as its first call.
    with grpc.insecure_channel(address()) as channel:
        stub = PatientStub(channel, address(), patience=LIMIT)
        with pytest.raises(grpc.RpcError):
            stub.GetTrial(protos.get_service().GetTrialRequest(trial_id="no"))
        with pytest.raises(WorkersGoneError, match="No worker came") as gone:
            chief.result(LIMIT)
    assert isinstance(gone.value.__cause__, KeyError)


def test_a_worker_says_once_that_it_waits(search, caplog):
    with search.connect("a") as a:
        late = threading.Timer(2.5, lambda: chiefs.append(search.start(1)))
        chiefs = []
        late.start()
        search.work(a).result(LIMIT)
        late.join()
        chiefs[0].result(PROMPT)
    waits = [r for r in caplog.messages if r.startswith("Waiting up to")]
    assert len(waits) == 1 and f"127.0.0.1:{search.port}" in waits[0]


def test_a_workers_patience_ends(search):
    with search.connect("a", patience=0.5) as a:
        with pytest.raises(ConnectionError, match="No chief answered"):
            a.create_trial("a")


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
import test_distributed as here
from keras_resnetv2.tuning.distributed.chief import serve
from keras_resnetv2.tuning.distributed.roles import role, tuner_id
from keras_resnetv2.tuning.distributed.patient_stub import (  # noqa: E402
    PatientStub,
)
from keras_resnetv2.tuning.distributed.roles import address  # noqa: E402
from keras_resnetv2.tuning.distributed.worker import connect

directory, trials = pathlib.Path(sys.argv[2]), int(sys.argv[3])
seconds = float(sys.argv[4])
oracle = here.make_oracle(directory, trials)

def run(trial):
    (directory / f"{trial.trial_id}.{tuner_id()}").touch()
    time.sleep(seconds)
    return 1.0

if role() == "chief":
    if (directory / "search" / "oracle.json").exists():
        oracle.reload()
    serve(oracle, silence=3.0, first_worker=60)
    print(*oracle.end_order)
else:
    with connect(oracle, heartbeat=0.5) as client:
        print(*here.work(client, tuner_id(), run))
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
