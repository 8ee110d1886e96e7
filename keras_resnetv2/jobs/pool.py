"""Runs several jobs at once on the available devices."""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from keras_resnetv2._checks import check_count
from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.job import Job

_T = TypeVar("_T")


class Task(NamedTuple):
    """A job for a pool.

    Attributes:
        job: the job.
        log: file to which the output of its process is appended.
        echo: called with each line that its process prints.
    """

    job: Job
    log: pathlib.Path
    echo: Callable[[str], None]


class Pool:
    """Runs jobs. If one fails in a way that any other would, all stop.

    Args:
        parallel: number of jobs at a time. A single job sees the devices of
            this process. Of several, each gets as many GPUs as it has replicas.

    Attributes:
        parallel: the same.

    Raises:
        ValueError: if it is less than 1.
    """

    def __init__(self, parallel: int):
        check_count("parallel", parallel)
        self.parallel = parallel
        self._gpus = Gpus(visible_gpus()) if parallel > 1 else None
        self._live = weakref.WeakSet()  # ended processes are dropped
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def call(
        self, functions: Mapping[str, Callable[[], _T]]
    ) -> Iterator[tuple[str, _T]]:
        """Calls functions that do jobs, at most `parallel` at a time.

        Args:
            functions: functions by name. They call `do`, and wait with `pause`.

        Yields:
            A function's name when it ends, and its result.

        Raises:
            Exception: the first that a function raises; all jobs stop.
        """
        threads = concurrent.futures.ThreadPoolExecutor(self.parallel)
        futures = {
            threads.submit(function): name
            for name, function in functions.items()
        }
        try:
            for future in concurrent.futures.as_completed(futures):
                yield futures[future], future.result()
        except BaseException:  # also when the generator is closed early
            self._stop(threads)
            raise
        threads.shutdown()

    def pause(self, seconds: float) -> None:
        """Waits, unless the jobs have stopped.

        Args:
            seconds: how long to wait.

        Raises:
            AllStoppedError: as soon as another job has stopped all jobs.
        """
        if self._stopped.wait(seconds):
            raise parent.AllStoppedError("Another job has stopped all jobs.")

    def do(self, task: Task) -> dict | None:
        """Does a job now.

        Args:
            task: the task.

        Returns:
            Its result; see `parent.run`.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            AllStoppedError: if any other job would fail in the same way, or
                one has.
            TrainingFailedError: with the reason.
        """
        self.pause(0)
        alone = contextlib.nullcontext({})
        given = self._gpus and self._gpus.environment(task.job.replicas)
        with given or alone as environment:
            return parent.run(
                task.job,
                task.log,
                echo=task.echo,
                begun=self._begun,
                environment=environment,
            )

    def _begun(self, process):
        with self._lock:
            self._live.add(process)
        if self._stopped.is_set():
            process.stdin.close()

    def _stop(self, threads):
        threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._stopped.set()
            live = list(self._live)
        if live:
            parent.tell(parent.STOPPING)
        for process in live:
            process.stdin.close()
        threads.shutdown()


_VISIBLE = "CUDA_VISIBLE_DEVICES"
# Several trainings may share a GPU, so none may reserve all of its memory.
_SHARED = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


def visible_gpus() -> list[str]:
    """Returns the names of the GPUs that child processes would see.

    It does not ask a backend, which would take the GPUs' memory.

    Returns:
        The GPUs in CUDA_VISIBLE_DEVICES, or else all that nvidia-smi finds.
    """
    if (listed := os.environ.get(_VISIBLE)) is not None:
        names = [name.strip() for name in listed.split(",")]
        # CUDA ignores the list from the first invalid entry on.
        ends = (i for i, name in enumerate(names) if name in ("", "-1"))
        return names[: next(ends, len(names))]
    if not shutil.which("nvidia-smi"):
        return []
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    return [] if done.returncode else done.stdout.split()


class Gpus:
    """Distributes GPUs among jobs that run at the same time.

    Args:
        names: names of the GPUs, as in CUDA_VISIBLE_DEVICES.
    """

    def __init__(self, names: Sequence[str]):
        self._names = list(names)
        self._jobs = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def environment(self, replicas: int | None) -> Iterator[dict[str, str]]:
        """Reserves the GPUs with the fewest jobs for a job, in this context.

        With one GPU or none, a job sees all devices.

        Args:
            replicas: how many GPUs it needs; None for one. If there are fewer,
                it gets all of them and raises its own error.

        Yields:
            Environment variables for the job's process.
        """
        if len(self._names) < 2:
            yield dict(_SHARED)
            return
        with self._lock:
            taken = sorted(self._names, key=self._jobs.__getitem__)
            taken = taken[: replicas or 1]
            self._jobs.update(taken)
        try:
            yield {**_SHARED, _VISIBLE: ",".join(taken)}
        finally:
            with self._lock:
                self._jobs.subtract(taken)
