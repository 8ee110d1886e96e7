"""The chief of a search on several machines."""

import errno
import time
from concurrent import futures

import grpc
from absl import logging
from keras_tuner.src import protos
from keras_tuner.src.engine.oracle import Oracle

from keras_resnetv2._checks import check_finite
from keras_resnetv2.tuning.distributed.chief_servicer import ChiefServicer
from keras_resnetv2.tuning.distributed.messages import silence_conditions
from keras_resnetv2.tuning.distributed.oracle_state import take_back
from keras_resnetv2.tuning.distributed.roles import address
from keras_resnetv2.tuning.distributed.roster import Roster
from keras_resnetv2.tuning.oracles import locked

_LOOKS = 0.5  # seconds between two looks at the workers
_GRACE = 5.0  # seconds that the last answers have to leave
# Each worker waits for one answer and one heartbeat's; threads start as needed.
_THREADS = 512


class WorkersGoneError(ConnectionError):
    """No worker is left, or none came, and trials are still to be done."""


def serve(
    oracle: Oracle, *, silence: float = 30.0, first_worker: float = 3600.0
) -> None:
    """Hands out trials until the search is done and every worker knows it.

    A worker that falls silent is taken for dead, and another one gets its
    trial. While trials are ongoing, workers for whom there is nothing left
    are told to wait, so that there is another one. A trial that ends twice
    keeps its first result.

    The address is the environment's (`roles.address`). There is no
    authentication: whoever reaches the port can take part.

    Args:
        oracle: what `make_oracle` made. Nothing else may use it meanwhile.
        silence: seconds without a sign of life that make a worker dead; a
            multiple of the time between heartbeats (`worker.connect`).
        first_worker: seconds to wait for the first worker. Where all trials
            have ended before, it is `silence`.

    Raises:
        WorkersGoneError: if all workers died, or none came; caused by the
            oracle's last error, if there was one.
        OSError: if the port is in use, or the address not this machine's.
        ValueError: if a number of seconds is none above 0, or the
            environment is incomplete.
    """
    _check_seconds("silence", silence)
    _check_seconds("first_worker", first_worker)
    silence_conditions()
    roster = Roster(silence)
    servicer = ChiefServicer(oracle, roster)
    server = _start(servicer)
    try:
        if _wait_for_first(servicer, silence, first_worker):
            _watch(servicer, silence)
    finally:
        server.stop(_GRACE).wait()


def _check_seconds(name, value):
    check_finite(name, value)
    if value <= 0:
        raise ValueError(
            f"{name} is a number of seconds above 0; received {value!r}."
        )


def _start(servicer):
    at = address()
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS),
        # Without it a second chief would share the port, and the workers.
        options=[("grpc.so_reuseport", 0)],
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        server.add_insecure_port(at)
    except RuntimeError as error:
        raise OSError(
            errno.EADDRINUSE,
            f"The chief cannot listen at {at}: the port is in use, perhaps by "
            "another chief, or the address is not this machine's. End the "
            "other process, or set KERASTUNER_ORACLE_IP and "
            "KERASTUNER_ORACLE_PORT for chief and workers alike",
        ) from error
    server.start()
    logging.info("The chief listens at %s.", at)
    return server


def _wait_for_first(servicer, silence, first_worker):
    """Whether a worker has come; without one the search must be done."""
    oracle, roster = servicer.oracle, servicer.roster
    done = oracle.max_trials and len(oracle.end_order) >= oracle.max_trials
    seconds = min(silence, first_worker) if done else first_worker
    until = time.monotonic() + seconds
    while not roster.met_any and time.monotonic() < until:
        time.sleep(min(_LOOKS, silence / 4))
    if not roster.met_any and not done:
        raise WorkersGoneError(
            f"No worker came within {seconds:g} s; {_count(oracle)}. Start "
            "workers with the same KERASTUNER_ORACLE_IP and "
            "KERASTUNER_ORACLE_PORT, which they must be able to reach, and "
            "other KERASTUNER_TUNER_IDs; the same command goes on from there."
        ) from servicer.error
    return roster.met_any


def _watch(servicer, silence):
    """Returns when the search is done and no worker is left to be told."""
    oracle, roster = servicer.oracle, servicer.roster
    while True:
        time.sleep(min(_LOOKS, silence / 4))
        with locked(oracle):
            _bury(oracle, roster, silence)
            if roster.present():
                continue
            if servicer.done:
                return
            raise WorkersGoneError(
                f"All workers are gone, the last one for {silence:g} s; "
                f"{_count(oracle)}. The same command goes on from there."
            ) from servicer.error


def _bury(oracle, roster, silence):
    for worker in roster.pop_silent():
        trial_id = take_back(oracle, worker)
        logging.warning(
            "Nothing heard of %s for %g s: it is taken for dead%s.",
            worker,
            silence,
            f", and another worker gets its trial {trial_id}"
            if trial_id
            else "",
        )


def _count(oracle):
    of = f" of {oracle.max_trials}" if oracle.max_trials else ""
    return f"{len(oracle.end_order)}{of} trials are done"
