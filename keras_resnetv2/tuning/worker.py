"""A worker of a search on several machines: keras-tuner's, made to last.

keras-tuner's ends with the chief, and the chief cannot tell a worker that died
from one at a long trial.
"""

import contextlib
import json
import threading
from collections.abc import Iterator

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_client import TIMEOUT, OracleClient
from keras_tuner.src.engine import conditions
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial

from keras_resnetv2.tuning.roles import address

HEARTBEAT = 5.0  # seconds
# What goes with keras-tuner's messages, in gRPC's metadata: who this worker is,
# and why a trial failed.
WORKER, REASON = "worker-bin", "reason-bin"
_LONGEST = 4000  # bytes; gRPC takes 8 KiB of metadata
# keras-tuner's calls wait for a chief that is not there. One that is under way
# when the chief dies is made again.
_RETRIES = {
    "name": [{}],
    "retryPolicy": {
        "maxAttempts": 5,
        "initialBackoff": "1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    },
}
_OPTIONS = [
    ("grpc.service_config", json.dumps({"methodConfig": [_RETRIES]})),
    # A chief that comes back must find its workers soon; gRPC's is 2 minutes.
    ("grpc.max_reconnect_backoff_ms", 2000),
]


class _Client(OracleClient):
    """keras-tuner's, which says why a trial failed."""

    def end_trial(self, trial: Trial) -> None:
        reason = (trial.message or "").encode()[-_LONGEST:]
        self.stub.EndTrial(
            protos.get_service().EndTrialRequest(trial=trial.to_proto()),
            metadata=((REASON, reason),),
            wait_for_ready=True,
            timeout=TIMEOUT,
        )


@contextlib.contextmanager
def connect(oracle: Oracle) -> Iterator[OracleClient]:
    """Connects this worker to the chief; a context manager.

    Inside it the chief hears of this worker every `HEARTBEAT` seconds. A call
    waits up to an hour for a chief that is away.

    Args:
        oracle: made like the chief's; only its settings are read.

    Yields:
        keras-tuner's client, in place of the oracle. What the chief's oracle
        raises comes as grpc.RpcError with its text. Metrics and scores from
        the chief have 32 bits, those to it 64.
    """
    silence_conditions()
    stop = threading.Event()
    with grpc.insecure_channel(address(), options=_OPTIONS) as channel:
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
                    "No chief answers at %s. This worker waits for it; start "
                    "it there with the same command.",
                    address(),
                )
            away = True
        stop.wait(HEARTBEAT)


def silence_conditions() -> None:
    """Stops keras-tuner from printing a value at every message.

    `Parent.to_proto` has a forgotten `print`, alone in its module.
    """
    conditions.print = lambda *values: None
