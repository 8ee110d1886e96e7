"""Ends this process when another one of a training on JAX is lost.

JAX itself would wait for it, or abort without a word on what to do.
"""

import atexit
import contextlib
import os
import select
import sys
import threading
import time

LOST = (
    "Another worker has ended, stopped answering or cannot be reached. Its own "
    "last lines say why. Start the same command again on all workers: it "
    "resumes from the last checkpoint."
)
_BEAT, _BYE = b".", b"!"
_ending, _leaving = threading.Lock(), threading.Event()


def hold(connections: list, silence: float, is_chief: bool) -> None:
    """Sends signs of life to other processes, and expects theirs.

    Args:
        connections: open sockets, one to each process.
        silence: seconds after which a process is lost.
        is_chief: whether JAX's service runs in this process.
    """
    for connection in connections:
        connection.settimeout(silence)
    threading.Thread(
        target=_watch, args=(connections, silence), daemon=True
    ).start()
    # Before JAX's own: after it, nobody waits for this process.
    atexit.register(_leave, connections, is_chief)


def end() -> None:
    """Ends this process at once, with one line: JAX cannot shut down alone."""
    with _ending:  # only one thread says it
        print(LOST, file=sys.__stderr__, flush=True)
        os._exit(1)


def _watch(connections, silence):
    heard = dict.fromkeys(connections, time.monotonic())
    beat = 0.0
    while heard and not _leaving.is_set():
        if time.monotonic() > beat:
            beat = time.monotonic() + 1
            for connection in heard:
                with contextlib.suppress(OSError):  # `recv` notices it
                    connection.send(_BEAT)
        for connection in select.select(list(heard), [], [], 1)[0]:
            try:
                text = connection.recv(4096)
            except OSError:
                text = b""
            if not text and not _leaving.is_set():
                end()
            heard[connection] = time.monotonic()
            if _BYE in text:
                del heard[connection]
        if any(time.monotonic() - last > silence for last in heard.values()):
            end()


def _leave(connections, is_chief):
    _leaving.set()
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.send(_BYE)
    if is_chief:  # the others would be aborted when JAX's service ends
        for connection in connections:
            with contextlib.suppress(OSError):  # it has waited long enough
                while connection.recv(4096):
                    pass
