"""Ctrl-C and SIGTERM: a training ends after the step it is in."""

import os
import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTED = b"""
Ctrl-C: the training finishes its step, writes a checkpoint and ends. Another
Ctrl-C ends it at once.
"""


class StopRequests:
    """Notes the first signal instead of dying of it; a second one acts.

    A context manager. In another thread than the main one, where Python has no
    signals, it does nothing.

    Attributes:
        received: the signal, or None.
    """

    def __enter__(self):
        """Takes the signals over."""
        self.received = None
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        """Gives them back."""
        self._give_back()

    def act(self, step: int) -> None:
        """Ends the session as the signal asks, after the checkpoint.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            SystemExit: after SIGTERM, with the shell's code for it.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        print(
            f"{self.received.name} came: stopped after step {step:,}. The "
            "same command goes on from there.",
            flush=True,
        )
        raise SystemExit(128 + self.received)

    def _note(self, number, frame):
        self.received = signal.Signals(number)
        self._give_back()
        if number == signal.SIGINT:
            # print may be what the signal has come into.
            os.write(2, _NOTED)

    def _give_back(self):
        while self._before:
            signal.signal(*self._before.popitem())
