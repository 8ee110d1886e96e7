"""The chief of a search on several machines, on top of keras-tuner's.

keras-tuner's chief waits forever for a worker that died during its trial. This
one gives the trial to another worker.
"""

import errno
import time
from concurrent import futures

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.trial import Trial

from keras_resnetv2.tuning.oracles import locked
from keras_resnetv2.tuning.roles import address
from keras_resnetv2.tuning.worker import REASON, WORKER, silence_conditions

SILENCE = 30.0  # seconds without a heartbeat until a worker counts as dead
FIRST_WORKER = 3600.0  # seconds to wait for the first worker
_LOOKS = 0.2  # seconds between two checks of the workers
_GRACE = 5.0  # seconds for sending the last answers
# A worker needs one thread, and one for its heartbeat; they start as needed.
_THREADS = 512


class WorkersGoneError(ConnectionError):
    """No worker is left, or none has connected, before the search is done."""


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
    silence_conditions()
    servicer = _Servicer(oracle)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        # Otherwise a second chief would share the port and the workers.
        options=[("grpc.so_reuseport", 0)],
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        server.add_insecure_port(address())
    except RuntimeError as error:
        raise OSError(
            errno.EADDRINUSE,
            f"The chief cannot listen at {address()}: the port is in use, "
            "perhaps by another chief, or the address is not this machine's. "
            "Stop the other process, or set another KERASTUNER_ORACLE_IP and "
            "KERASTUNER_ORACLE_PORT for the chief and all workers",
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
        trial.message = trial.hyperparameters.values.pop(REASON, None)
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
            raise WorkersGoneError(_why_no_worker(servicer))


def _why_no_worker(servicer):
    oracle = servicer.oracle
    of = f" of {oracle.max_trials}" if oracle.max_trials else ""
    return (
        ("All workers are gone" if servicer.met_any else "No worker connected")
        + f"; {len(oracle.end_order)}{of} trials are done. Start chief and "
        "workers again with the same command to resume. Workers need the "
        "chief's KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT, must be able "
        "to reach it there, and each need their own KERASTUNER_TUNER_ID."
    )
