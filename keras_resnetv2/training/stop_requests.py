"""Ends a training after its current step on Ctrl-C or SIGTERM."""

import os
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTED = b"""
Ctrl-C: the training finishes its step, writes a checkpoint and ends. Another
Ctrl-C ends it at once.
"""


class StopRequests:
    """Records the first signal instead of ending the process at once.

    A second signal acts as usual. Use it as a context manager. Outside the
    main thread, where Python has no signals, it does nothing.

    Attributes:
        received: the signal, or None.
    """

    def __enter__(self):
        """Replaces the signal handlers."""
        self.received = None
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        """Restores the signal handlers."""
        self._give_back()

    def act(self, step: int) -> None:
        """Ends the session as the signal requires, after the checkpoint.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            SystemExit: after SIGTERM, with the shell's exit status for it.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        print(
            f"Received {self.received.name}: stopped after step {step:,}. The "
            "same command resumes the training.",
            flush=True,
        )
        raise SystemExit(128 + self.received)

    def _note(self, number, frame):
        self.received = signal.Signals(number)
        self._give_back()
        if number == signal.SIGINT:
            # Not print: the signal may have interrupted a print.
            os.write(2, _NOTED)

    def _give_back(self):
        while self._before:
            signal.signal(*self._before.popitem())
