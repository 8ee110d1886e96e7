"""Several jobs at once, over the devices there are."""

import concurrent.futures
import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from keras_resnetv2.jobs import processes
from keras_resnetv2.jobs.gpus import Gpus, visible_gpus


class Task(NamedTuple):
    """A job for a pool.

    Attributes:
        job: see `child`.
        log: file to which what its process prints is appended.
        replicas: number of devices it trains on; None for one.
        echo: called with the lines that its process prints, as they come.
    """

    job: dict
    log: pathlib.Path
    replicas: int | None
    echo: Callable[[str], None]


class Pool:
    """Runs jobs; where one cannot go on for want of something, all stop.

    Args:
        parallel: number of jobs at once. One alone sees this process's
            devices; of several each gets as many GPUs as it has replicas.
    """

    def __init__(self, parallel: int):
        self._parallel = parallel
        self._gpus = Gpus(visible_gpus()) if parallel > 1 else None
        self._live = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(
        self, tasks: Mapping[str, Task]
    ) -> Iterator[tuple[str, processes.TrainingFailedError | None]]:
        """Does all jobs.

        Args:
            tasks: by their names.

        Yields:
            A job's name as it ends, and how it failed, if it did.

        Raises:
            KeyboardInterrupt: after Ctrl-C; no step that was done is lost.
            AllStoppedError: where any other job would end in the same way;
                likewise.
        """
        pool = concurrent.futures.ThreadPoolExecutor(self._parallel)
        futures = {
            pool.submit(self._run, task): name for name, task in tasks.items()
        }
        try:
            for future in concurrent.futures.as_completed(futures):
                try:
                    future.result()
                except processes.TrainingFailedError as failure:
                    yield futures[future], failure
                else:
                    yield futures[future], None
        finally:
            self._stop(pool)

    def _run(self, task):
        alone = contextlib.nullcontext({})
        given = self._gpus and self._gpus.environment(task.replicas)
        with given or alone as environment:
            processes.run(
                task.job,
                task.log,
                echo=task.echo,
                begun=self._begun,
                environment=environment,
            )

    def _begun(self, process):
        with self._lock:
            self._live.add(process)
            stopped = self._stopped
        if stopped:
            process.stdin.close()

    def _stop(self, pool):
        """Each ends after its step, with a checkpoint."""
        pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for process in live:
            process.stdin.close()
        pool.shutdown()
