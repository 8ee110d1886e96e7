"""A worker's end of a search on several machines."""

import contextlib
import threading
from collections.abc import Iterator

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial, TrialStatus

from keras_resnetv2.tuning.distributed import messages
from keras_resnetv2.tuning.distributed.patient_stub import PatientStub
from keras_resnetv2.tuning.distributed.roles import address

# A chief that comes back must find its workers soon; gRPC's own is 2 minutes.
_OPTIONS = [("grpc.max_reconnect_backoff_ms", 2000)]


class WorkerClient(OracleClient):
    """keras-tuner's, which says what it is at and why a trial failed.

    Args:
        oracle: a local one, for what keras-tuner asks it.
        channel: to the chief.
        patience: seconds to wait for a chief that is away.
    """

    def __init__(self, oracle: Oracle, channel: grpc.Channel, patience: float):
        super().__init__(oracle)
        # The channel that keras-tuner made has no connection before a call.
        self.stub = PatientStub(channel, address(), patience)
        self.running = ""

    def create_trial(self, tuner_id: str) -> Trial:
        """Asks for a trial."""
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.running = trial.trial_id
        return trial

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial, with its message, which keras-tuner leaves out."""
        self.running = ""
        self.stub.EndTrial(
            protos.get_service().EndTrialRequest(trial=trial.to_proto()),
            metadata=messages.pack({messages.ERROR: trial.message})
            if trial.message
            else (),
        )


@contextlib.contextmanager
def connect(
    oracle: Oracle, *, heartbeat: float = 5.0, patience: float = 3600.0
) -> Iterator[WorkerClient]:
    """Connects this worker to the chief; a context manager.

    Inside it the chief hears of this worker regularly, also while a trial
    takes hours. A call waits for a chief that is not there yet or was
    restarted, and says so once on stderr.

    What comes from the chief is as it left it, but for the metrics and scores
    of its trials, which keras-tuner sends with 32 bits; what goes to it has 64.

    Args:
        oracle: made like the chief's; only its settings are read.
        heartbeat: seconds between two signs of life, a fraction of
            `chief.serve`'s `silence`.
        patience: seconds a call waits for the chief, then raises
            ConnectionError.

    Yields:
        In place of the oracle: its `create_trial`, `update_trial`,
        `end_trial`, `get_trial`, `get_best_trials`, `get_space` and
        `update_space` are the chief's. What the chief's oracle raises comes
        as grpc.RpcError with its text.

    Raises:
        ValueError: if the environment is incomplete.
    """
    at = address()
    messages.silence_conditions()
    stop = threading.Event()
    with grpc.insecure_channel(at, options=_OPTIONS) as channel:
        client = WorkerClient(oracle, channel, patience)
        beating = threading.Thread(
            target=_beat,
            args=(client, channel, heartbeat, stop),
            name="heartbeats to the chief",
            daemon=True,
        )
        beating.start()
        try:
            yield client
        finally:
            stop.set()
            beating.join()


def _beat(client, channel, seconds, stop):
    stub = protos.get_service_grpc().OracleStub(channel)
    request = protos.get_service().GetBestTrialsRequest(num_trials=0)
    while True:
        said = {
            messages.WORKER: client.tuner_id,
            messages.TRIAL: client.running,
        }
        # A chief that is away is the calls' concern.
        with contextlib.suppress(grpc.RpcError):
            stub.GetBestTrials(
                request, metadata=messages.pack(said), timeout=seconds
            )
        if stop.wait(seconds):
            return
