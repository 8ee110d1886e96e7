"""The other side of `child`: starts it, listens, judges its end."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Mapping

from keras_resnetv2._processes import module_command, module_environment
from keras_resnetv2.jobs.job import Job, to_line

STOPPING = "Stopping: a training finishes its step and writes a checkpoint."
_PROGRESS = ("Images: ", "Network: ", "Resuming", "epoch ")


class TrainingFailedError(RuntimeError):
    """A training came to no result; others still may."""


class TrainingDivergedError(TrainingFailedError):
    """The loss or a weight became NaN or infinite; a retry would end alike."""


class AllStoppedError(OSError):
    """The fault is no setting's: a full disk, data that are not there."""


# Of what a job can say of its own failure.
FAILURES = {
    "failed": TrainingFailedError,
    "diverged": TrainingDivergedError,
    "stops_all": AllStoppedError,
}


def run(
    job: Job,
    log: pathlib.Path,
    echo: Callable[[str], None],
    begun: Callable[[subprocess.Popen], None] = lambda process: None,
    environment: Mapping[str, str] = types.MappingProxyType({}),
) -> dict | None:
    """Does a job in a process of its own, whose memory ends with it.

    A process that is killed, for want of memory, say, is a failed training
    and no more.

    Args:
        job: what it does.
        log: file to which what the process prints is appended.
        echo: called with its lines, as they come.
        begun: called with the process, once it has its job. Where another
            thread closes its standard input, it stops after its step.
        environment: variables of the process, beside this one's.

    Returns:
        What the job came to, see `Job`; None of a training.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when the process has ended as well.
        AllStoppedError: where another training would end in the same way.
        TrainingDivergedError: if the training diverged.
        TrainingFailedError: with the reason, which is in the log, too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    reads, writes = os.pipe()
    with open(reads) as pipe, open(log, "a") as file:
        try:
            process = _start(writes, environment)
        finally:
            os.close(writes)
        with process:
            try:
                process.stdin.write(to_line(job))
                process.stdin.flush()
                begun(process)
                _listen(process, file, echo)
            except KeyboardInterrupt:
                tell(STOPPING)
                process.stdin.close()
                _listen(process, file, lambda line: None)
                raise
            except BrokenPipeError:
                _listen(process, file, echo)
        outcome = json.loads(pipe.read() or "{}")
        code = process.returncode
        if code == 0:
            return outcome.get("result")
        if code in _ended_by(signal.SIGINT):
            raise KeyboardInterrupt
        if code in _ended_by(signal.SIGTERM):
            raise AllStoppedError(
                "A training was asked to end (SIGTERM). The same command goes "
                "on from there"
            )
        if not outcome:
            outcome = {"failure": "failed", "reason": _how_it_ended(code)}
            file.write(f"error: {outcome['reason']}\n")
    raise FAILURES[outcome["failure"]](outcome["reason"])


def _start(pipe, environment):
    return subprocess.Popen(
        [*module_command("keras_resnetv2.jobs.child"), str(pipe)],
        env=module_environment(PYTHONUNBUFFERED="1", **environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[pipe],
        # Ctrl-C in a terminal would reach it, too, and a second request to
        # stop ends a training at once.
        process_group=0,
    )


def tell(line: str) -> None:
    """Prints a line whole, whatever other threads print meanwhile."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell_progress(whose: str, line: str) -> None:
    """Prints a line of a training's, if it is worth a terminal's.

    Args:
        whose: what stands before it.
        line: any that the training prints.
    """
    if line.startswith(_PROGRESS):
        tell(f"{whose}{line}")


def _listen(process, file, echo):
    for line in process.stdout:
        file.write(line)
        file.flush()
        echo(line.strip())


def _ended_by(number):
    """After its step, or at once: it was still importing."""
    return 128 + number, -number


def _how_it_ended(code):
    if code >= 0:
        return f"the process ended with status {code}"
    name = signal.Signals(-code).name
    hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"
