"""The parent of `child`: starts it, reads its output and its exit status."""

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
    """A training has failed; others may still succeed."""


class TrainingDivergedError(TrainingFailedError):
    """The loss or a weight became NaN or infinite; a retry would not help."""


class AllStoppedError(OSError):
    """The settings are not the cause: the disk is full, or data is missing."""


# The errors by the failures that a job can report.
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
    """Does a job in a separate process, which frees its memory at the end.

    If the process is killed, for example because it runs out of memory, only
    this training fails.

    Args:
        job: the job.
        log: file to which the output of the process is appended.
        echo: called with each line that it prints.
        begun: called with the process after it has received the job. If
            another thread closes its standard input, it stops after its step.
        environment: variables to add to this process's environment.

    Returns:
        The result of the job, see `Job`; None for a training.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when the process has ended too.
        AllStoppedError: if any other training would fail in the same way.
        TrainingDivergedError: if the training diverged.
        TrainingFailedError: with the reason, which is also in the log.
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
                "A training was asked to stop (SIGTERM). Run the same command "
                "to resume it"
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
        # Otherwise Ctrl-C in a terminal would reach it too, and a second
        # request to stop ends a training at once.
        process_group=0,
    )


def tell(line: str) -> None:
    """Prints a line that other threads cannot interrupt."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell_progress(whose: str, line: str) -> None:
    """Prints a line of a training's output if it shows progress.

    Args:
        whose: prefix that names the training.
        line: a line that the training prints.
    """
    if line.startswith(_PROGRESS):
        tell(f"{whose}{line}")


def _listen(process, file, echo):
    for line in process.stdout:
        file.write(line)
        file.flush()
        echo(line.strip())


def _ended_by(number):
    """Exit codes after its step, or at once if it was still importing."""
    return 128 + number, -number


def _how_it_ended(code):
    if code >= 0:
        return f"the process ended with status {code}"
    name = signal.Signals(-code).name
    hint = ", perhaps out of memory" if code == -signal.SIGKILL else ""
    return f"the process was ended by {name}{hint}"
