"""The chief of a search on several machines: keras-tuner's, made to end.

keras-tuner's keeps a trial for the worker that got it, and waits for ever for
one that died.
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

SILENCE = 30.0  # seconds without a sign of life that make a worker dead
FIRST_WORKER = 3600.0  # seconds to wait for one
_LOOKS = 0.2  # seconds between two looks at the workers
_GRACE = 5.0  # seconds that the last answers have to leave
# Each worker waits for one answer and one heartbeat's; threads start as needed.
_THREADS = 512


class WorkersGoneError(ConnectionError):
    """No worker is left, or none came, and trials are still to be done."""


def serve(oracle: Oracle) -> None:
    """Hands out trials until the search is done and every worker knows it.

    A worker that is silent for `SILENCE` is dead, and another one gets its
    trial. While trials are ongoing, workers for whom there is nothing left are
    told to wait, so that there is another one. A chief that is started again
    leaves the ongoing trials to their workers, if it hears of them.

    There is no authentication: whoever reaches the port can take part.

    Args:
        oracle: what `make_oracle` made. Nothing else may use it meanwhile.

    Raises:
        WorkersGoneError: if all workers died, or none came in `FIRST_WORKER`.
        OSError: if the port is in use, or the address not this machine's.
    """
    silence_conditions()
    servicer = _Servicer(oracle)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        # Without it a second chief would share the port, and the workers.
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
            "End the other process, or set KERASTUNER_ORACLE_IP and "
            "KERASTUNER_ORACLE_PORT for chief and workers alike",
        ) from error
    server.start()
    try:
        _watch(servicer)
    finally:
        server.stop(_GRACE).wait()


class _Servicer(OracleServicer):
    """keras-tuner's, with an eye on who is there.

    Attributes:
        heard: when each worker was last heard of; one that was told to end is
            not in it.
        met_any: whether a worker has come.
        done: whether nothing is ongoing, and there is nothing to hand out.
    """

    def __init__(self, oracle):
        super().__init__(oracle)
        self.heard = dict.fromkeys(oracle.ongoing_trials, time.monotonic())
        self.met_any = False
        self.done = 0 < (oracle.max_trials or 0) <= len(oracle.end_order)

    def GetSpace(self, request, context):
        """The space; with a worker's name it is a heartbeat."""
        worker = _said(context, WORKER)
        # The last one may come after the worker was told to end.
        if worker in self.heard:
            self.met_any = True
            self.heard[worker] = time.monotonic()
        return super().GetSpace(request, context)

    def CreateTrial(self, request, context):
        """A trial, or the word to wait or to end."""
        with locked(self.oracle):
            trial = self.oracle.create_trial(request.tuner_id)
            if trial.status == "STOPPED" and self.oracle.ongoing_trials:
                # Should another worker die, this one does its trial.
                trial.status = "IDLE"
            # An oracle that draws at random may find another one after all.
            self.done = trial.status == "STOPPED"
            self.met_any = True
            self.heard[request.tuner_id] = time.monotonic()
            if self.done:
                del self.heard[request.tuner_id]
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request, context):
        """Ends a trial, with the reason of a failed one."""
        trial = Trial.from_proto(request.trial)
        trial.message = _said(context, REASON) or None
        self.oracle.end_trial(trial)
        return protos.get_service().EndTrialResponse()


def _said(context, name):
    said = dict(context.invocation_metadata())
    return said.get(name, b"").decode(errors="replace")


def _watch(servicer):
    """Returns when the search is done and no worker is left to be told."""
    oracle = servicer.oracle
    looked = time.monotonic()
    # Where all has been done before, workers may have been started, too.
    until = looked + (SILENCE if servicer.done else FIRST_WORKER)
    while True:
        time.sleep(_LOOKS)
        with locked(oracle):
            now = time.monotonic()
            if now - looked > SILENCE / 2:
                # It was this process that stood still: a machine suspended, or
                # a long fit of the oracle's. Heartbeats are yet to be read.
                servicer.heard.update(dict.fromkeys(servicer.heard, now))
            looked = now
            for worker, heard in list(servicer.heard.items()):
                if now - heard > SILENCE:
                    del servicer.heard[worker]
                    oracle.requeue(worker)
                    logging.warning(
                        "Nothing heard of %s for %g s: it is taken for dead. "
                        "If it had a trial, another worker gets it.",
                        worker,
                        SILENCE,
                    )
            if servicer.heard or (now < until and not servicer.met_any):
                continue
            if servicer.done:
                return
            raise WorkersGoneError(_why_no_worker(servicer))


def _why_no_worker(servicer):
    oracle = servicer.oracle
    of = f" of {oracle.max_trials}" if oracle.max_trials else ""
    return (
        ("All workers are gone" if servicer.met_any else "No worker came")
        + f"; {len(oracle.end_order)}{of} trials are done. Start chief and "
        "workers again with the same command; it goes on from there. Workers "
        "have the chief's KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT, "
        "which they must be able to reach, and other KERASTUNER_TUNER_IDs."
    )
