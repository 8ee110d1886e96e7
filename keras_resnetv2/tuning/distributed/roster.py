"""Which workers a chief has heard of, and when."""

import threading
import time
from collections.abc import Callable


class Roster:
    """The workers of a search, by their tuner ids.

    Safe to use from several threads.

    Args:
        silence: seconds after which a worker counts as dead.
        clock: gives seconds that never run backwards.
    """

    def __init__(
        self, silence: float, clock: Callable[[], float] = time.monotonic
    ):
        self._silence = silence
        self._clock = clock
        self._lock = threading.Lock()
        self._heard: dict[str, float] = {}
        self._running: dict[str, str] = {}
        self._dismissed: set[str] = set()
        self._looked = clock()
        self.met_any = False

    def hear(self, worker: str) -> None:
        """Notes that a worker asks for work."""
        with self._lock:
            self._dismissed.discard(worker)
            self._note(worker)

    def hear_beat(self, worker: str, trial_id: str) -> None:
        """Notes a heartbeat, and the trial the worker is at ("": none)."""
        with self._lock:
            # The last beat may come after the worker was told to end.
            if worker not in self._dismissed:
                self._note(worker)
                self._running[worker] = trial_id

    def dismiss(self, worker: str) -> None:
        """Notes that a worker has been told that the search is done."""
        with self._lock:
            self._forget(worker)
            self._dismissed.add(worker)

    def present(self) -> list[str]:
        """The workers that are neither dismissed nor dead."""
        with self._lock:
            return list(self._heard)

    def running(self) -> dict[str, str]:
        """The trial that each worker says it is at."""
        with self._lock:
            return dict(self._running)

    def pop_silent(self) -> list[str]:
        """Takes the workers off that have not been heard of for too long."""
        with self._lock:
            now = self._clock()
            pause, self._looked = now - self._looked, now
            if pause > self._silence / 2:
                # It was this process that stood still: a machine suspended,
                # or a long computation of the oracle's. Beats are yet to be
                # read.
                self._heard = dict.fromkeys(self._heard, now)
            silent = [
                worker
                for worker, heard in self._heard.items()
                if now - heard > self._silence
            ]
            for worker in silent:
                self._forget(worker)
            return silent

    def _note(self, worker):
        self.met_any = True
        self._heard[worker] = self._clock()

    def _forget(self, worker):
        self._heard.pop(worker, None)
        self._running.pop(worker, None)
