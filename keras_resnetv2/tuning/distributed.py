"""A search on several machines, on top of keras-tuner's chief and client.

keras-tuner's chief waits forever for a worker that died during its trial, and
its workers end with the chief. Here workers send heartbeats: the chief gives a
dead one's trial to another, and workers wait for a chief that is absent.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Literal

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.distribute.utils import is_chief_oracle
from keras_tuner.src.engine import conditions
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial

from keras_resnetv2.tuning.oracles import locked

HEARTBEAT = 5.0  # seconds between two of a worker's
SILENCE = 30.0  # seconds without a heartbeat until a worker counts as dead
FIRST_WORKER = 3600.0  # seconds to wait for the first worker
_LOOKS = 0.2  # seconds between two checks of the workers
_GRACE = 5.0  # seconds for sending the last answers
# A worker needs one thread, and one for its heartbeat; they start as needed.
_THREADS = 512
# Workers must reconnect quickly to a restarted chief; gRPC: 2 minutes.
_RECONNECT = ("grpc.max_reconnect_backoff_ms", 2000)
WORKER = "worker-bin"  # gRPC metadata of a heartbeat: the worker's name
_HOST, _PORT = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
_MEANINGS = {
    _HOST: "the chief's address",
    _PORT: "the chief's port",
    "KERASTUNER_TUNER_ID": "this process's name; a chief's contains 'chief'",
}
# Among a failed trial's values: why it failed, which keras-tuner does not send.
_REASON = "tuner/message"
# keras-tuner forgot a `print` in `Parent.to_proto`, the only one in its module.
conditions.print = lambda *values: None


class WorkersGoneError(ConnectionError):
    """No worker is left, or none has connected, before the search is done."""


def role() -> Literal["chief", "worker"] | None:
    """Reads this process's role from keras-tuner's environment variables.

    Returns:
        "chief", "worker", or None for a search in one process.

    Raises:
        ValueError: if only some of the variables are set, or the port is
            invalid.
    """
    if not any(map(os.environ.get, _MEANINGS)):
        return None
    for name, meaning in _MEANINGS.items():
        if not os.environ.get(name):
            raise ValueError(
                f"{name} ({meaning}) is not set. A search on several machines "
                f"needs {', '.join(_MEANINGS)}; unset all three to search in "
                "one process."
            )
    port = os.environ[_PORT]
    # For any other, gRPC chooses a port.
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(
            f"{_PORT} must be a port number from 1 to 65535; received {port!r}."
        )
    return "chief" if is_chief_oracle() else "worker"


def serve(oracle: Oracle) -> None:
    """Hands out trials until the search is done and every worker knows it.

    A worker without a heartbeat for `SILENCE` seconds counts as dead, and
    another one gets its trial. For this, idle workers wait while trials are
    ongoing. After a restart, ongoing trials stay with their workers if these
    still send heartbeats.

    There is no authentication: whoever reaches the port can take part.

    Args:
        oracle: made by `make_oracle`. Nothing else may use it meanwhile.

    Raises:
        WorkersGoneError: if all workers died, or none connected within
            `FIRST_WORKER` seconds.
        OSError: if the port is in use, or the address is not this machine's.
    """
    servicer = _Servicer(oracle)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        # Otherwise a second chief would share the port and the workers.
        options=[("grpc.so_reuseport", 0)],
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        server.add_insecure_port(_address())
    except RuntimeError as error:
        raise OSError(
            f"The chief cannot listen at {_address()}: the port is in use, "
            "perhaps by another chief, or the address is not this machine's. "
            f"Stop the other process, or set another {_HOST} and {_PORT} for "
            "the chief and all workers."
        ) from error
    server.start()
    try:
        _watch(servicer)
    finally:
        server.stop(_GRACE).wait()


class _Servicer(OracleServicer):
    """keras-tuner's servicer, which also tracks the workers.

    Attributes:
        silent: seconds since each worker's last message; without workers that
            were told to end.
        met_any: whether any worker has connected.
        done: whether no trial is ongoing, and none is left.
    """

    def __init__(self, oracle):
        super().__init__(oracle)
        self.silent = dict.fromkeys(oracle.ongoing_trials, 0.0)
        self.met_any = False
        self.done = 0 < (oracle.max_trials or 0) <= len(oracle.end_order)

    def GetSpace(self, request, context):
        """Returns the space; with a worker's name, this is a heartbeat."""
        said = dict(context.invocation_metadata())
        worker = said.get(WORKER, b"").decode()
        # A last heartbeat may come after the worker was told to end.
        if worker in self.silent:
            self.met_any = True
            self.silent[worker] = 0.0
        return super().GetSpace(request, context)

    def CreateTrial(self, request, context):
        """Returns a trial, or tells the worker to wait or to end."""
        with locked(self.oracle):
            trial = self.oracle.create_trial(request.tuner_id)
            if trial.status == "STOPPED" and self.oracle.ongoing_trials:
                # If another worker dies, this one takes its trial.
                trial.status = "IDLE"
            # Not final: an oracle that draws at random may find a new trial.
            self.done = trial.status == "STOPPED"
            self.met_any = True
            self.silent[request.tuner_id] = 0.0
            if self.done:
                del self.silent[request.tuner_id]
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request, context):
        """Ends a trial; records why it failed."""
        trial = Trial.from_proto(request.trial)
        trial.message = trial.hyperparameters.values.pop(_REASON, None)
        self.oracle.end_trial(trial)
        return protos.get_service().EndTrialResponse()


def _watch(servicer):
    """Returns when the search is done and every worker knows it."""
    oracle, waited = servicer.oracle, 0.0
    # Workers may also start when the search was done before.
    first = SILENCE if servicer.done else FIRST_WORKER
    while True:
        time.sleep(_LOOKS)
        waited += _LOOKS
        with locked(oracle):
            for worker in list(servicer.silent):
                # A clock would go on while this process is stopped.
                servicer.silent[worker] += _LOOKS
                if servicer.silent[worker] > SILENCE:
                    del servicer.silent[worker]
                    oracle.requeue(worker)
                    logging.warning(
                        "No heartbeat from %s for %g s: it counts as dead. If "
                        "it had a trial, another worker gets it.",
                        worker,
                        SILENCE,
                    )
            if servicer.silent or (waited < first and not servicer.met_any):
                continue
            if servicer.done:
                return
            of = f" of {oracle.max_trials}" if oracle.max_trials else ""
            who = "No worker connected"
            if servicer.met_any:
                who = "All workers are gone"
            raise WorkersGoneError(
                f"{who}; {len(oracle.end_order)}{of} trials are done. Start "
                "chief and workers again with the same command to resume. "
                f"Workers need the chief's {_HOST} and {_PORT}, must be able "
                "to reach it there, and each need their own "
                "KERASTUNER_TUNER_ID."
            )


class _Client(OracleClient):
    """keras-tuner's client, which also reports why a trial failed."""

    def end_trial(self, trial: Trial) -> None:
        if trial.message:
            trial.hyperparameters.values[_REASON] = trial.message
        super().end_trial(trial)


@contextlib.contextmanager
def connect(oracle: Oracle) -> Iterator[OracleClient]:
    """Connects this worker to the chief; a context manager.

    Inside it, the chief gets a heartbeat every `HEARTBEAT` seconds. A call
    waits up to an hour for an absent chief.

    Args:
        oracle: made like the chief's; only its settings are read.

    Yields:
        keras-tuner's client, which replaces the oracle. Errors of the chief's
        oracle are raised as grpc.RpcError with their texts. Metrics and scores
        have 32 bits from the chief, and 64 bits to it.
    """
    stop = threading.Event()
    with grpc.insecure_channel(_address(), options=[_RECONNECT]) as channel:
        client = _Client(oracle)
        client.stub = protos.get_service_grpc().OracleStub(channel)
        beating = threading.Thread(
            target=_beat, args=(client, stop), daemon=True
        )
        beating.start()
        try:
            yield client
        finally:
            stop.set()
            beating.join()


def _beat(client, stop):
    request = protos.get_service().GetSpaceRequest()
    said = ((WORKER, client.tuner_id.encode()),)
    away = False
    while not stop.is_set():
        try:
            client.stub.GetSpace(request, metadata=said, timeout=HEARTBEAT)
            away = False
        except grpc.RpcError:
            if not away:
                logging.warning(
                    "No chief answers at %s. This worker waits. Start the "
                    "chief there with the same command.",
                    _address(),
                )
            away = True
        stop.wait(HEARTBEAT)


def _address():
    return f"{os.environ[_HOST]}:{os.environ[_PORT]}"
