"""A worker of a search on several machines, on top of keras-tuner's.

keras-tuner's worker ends with the chief, and the chief cannot distinguish a
dead worker from one with a long trial. This one waits, and sends heartbeats.
"""

import contextlib
import threading
from collections.abc import Iterator

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.engine import conditions
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial

from keras_resnetv2.tuning.roles import address

HEARTBEAT = 5.0  # seconds
WORKER = "worker-bin"  # gRPC metadata of a heartbeat: the worker's name
# Among a failed trial's values: why it failed, which keras-tuner does not send.
REASON = "tuner/message"
# Workers must reconnect quickly to a restarted chief; gRPC: 2 minutes.
_RECONNECT = ("grpc.max_reconnect_backoff_ms", 2000)


class _Client(OracleClient):
    """keras-tuner's client, which also reports why a trial failed."""

    def end_trial(self, trial: Trial) -> None:
        if trial.message:
            trial.hyperparameters.values[REASON] = trial.message
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
    silence_conditions()
    stop = threading.Event()
    with grpc.insecure_channel(address(), options=[_RECONNECT]) as channel:
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
                    address(),
                )
            away = True
        stop.wait(HEARTBEAT)


def silence_conditions() -> None:
    """Stops keras-tuner from printing a value at every message.

    `Parent.to_proto` has a leftover `print`, the only one in its module.
    """
    conditions.print = lambda *values: None
