"""Calls to a chief that may be away for a while."""

import functools
import time

import grpc
from absl import logging
from keras_tuner.src import protos

# UNAVAILABLE: nobody listens, or the chief died with the answer.
# DEADLINE_EXCEEDED: its machine is gone, or it computes; asking again is safe,
# since a chief gives a worker the trial it has, and ends a trial once.
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_ATTEMPT = 120.0  # seconds for one answer
_PAUSE = 1.0  # seconds between two attempts


class PatientStub:
    """keras-tuner's stub, which asks again while the chief is away.

    Args:
        channel: to the chief.
        address: the chief's, for messages.
        patience: seconds after which a call gives up.
    """

    def __init__(self, channel: grpc.Channel, address: str, patience: float):
        self._stub = protos.get_service_grpc().OracleStub(channel)
        self._address = address
        self._patience = patience

    def __getattr__(self, name):
        return functools.partial(self._ask, getattr(self._stub, name))

    def _ask(self, method, request, metadata=(), **ignored):
        """keras-tuner's own timeout and wait_for_ready are ignored."""
        until = time.monotonic() + self._patience
        told = False
        while True:
            try:
                return method(request, metadata=metadata, timeout=_ATTEMPT)
            except grpc.RpcError as error:
                if error.code() not in _AWAY:
                    raise
                if time.monotonic() + _PAUSE > until:
                    raise ConnectionError(
                        f"No chief answered at {self._address} for "
                        f"{self._patience:g} s. Start chief and workers "
                        "again with the same command; the search goes on."
                    ) from error
            if not told:
                logging.warning(
                    "Waiting up to %g s for the chief at %s. If it died, "
                    "start it again there with the same command.",
                    self._patience,
                    self._address,
                )
                told = True
            time.sleep(_PAUSE)
