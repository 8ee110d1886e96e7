"""`run_study`: trains what is missing, goes on with what was cut off."""

import concurrent.futures
import dataclasses
import os
import threading

from keras_resnetv2._locks import locked
from keras_resnetv2.studies.results import Result, result_of
from keras_resnetv2.studies.study import run_name
from keras_resnetv2.studies.studydir import Plan, Studydir
from keras_resnetv2.training import processes
from keras_resnetv2.training.experiment import Experiment

# Several trainings on one GPU: none may take all of its memory at once.
_SHARED_GPU = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


def run_study(
    plan: Plan,
    workdir: str | os.PathLike,
    *,
    rows: tuple[str, ...] | None = None,
    parallel: int = 1,
    data_dir: str | os.PathLike | None = None,
    checkpoint_steps: int | None = None,
) -> dict[str, str]:
    """Does the runs of a study that have no result yet.

    Every run is a training in a process and a work directory of its own. One
    that diverges has that as its result; one that ends in any other way has
    none, and the next call goes on with it. results.jsonl has a run's line as
    soon as the run has ended.

    Args:
        plan: the study, and how it is run.
        workdir: directory of studies, see `Studydir`.
        rows: names of those to be run; None for all.
        parallel: number of trainings at once, on the same device.
        data_dir: where TensorFlow Datasets keeps its data.
        checkpoint_steps: steps between checkpoints; None for one an epoch.

    Returns:
        The runs that crashed, by name, with the reason.

    Raises:
        KeyboardInterrupt: after Ctrl-C; no step that was done is lost.
        OSError: where any other run would end in the same way; likewise.
        ValueError: if the directory holds something else, another process
            works there, or an argument does not fit.
    """
    for name, value in (
        ("parallel", parallel),
        ("checkpoint_steps", checkpoint_steps),
    ):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1; received {value}.")
    names = [row.name for row in plan.study.rows]
    if unknown := sorted(set(rows or ()) - set(names)):
        raise ValueError(
            f"Unknown rows of {plan.study.name!r}: received "
            f"{', '.join(unknown)}; expected some of {', '.join(names)}."
        )
    directory = Studydir(workdir)
    directory.check(plan)
    with locked(directory.path):
        directory.claim(plan)
        results = directory.results()
        missing = {
            run_name(experiment): experiment
            for (row, _), experiment in plan.runs().items()
            if (rows is None or row in rows)
            and run_name(experiment) not in results
        }
        done = sum(map(len, plan.results(results).values()))
        print(
            f"{plan.study.name}: {done} of {len(plan.runs())} runs have a "
            f"result; {len(missing)} to do now.",
            flush=True,
        )
        trainings = _Trainings(directory, parallel, data_dir, checkpoint_steps)
        for result in trainings.results(missing):
            results[result.run] = result
            directory.write_results(results)
            print(_line(result), flush=True)
    return trainings.crashed


def _line(result: Result):
    told = "fail (diverged)"
    if result.last is not None:
        told = f"test error {result.last:.2%}"
    return f"{result.run}: {told} after {result.seconds:,.0f} s"


class _Trainings:
    """Several at once; where one cannot go on for want of something, all stop.

    Attributes:
        crashed: name to reason of those that came to no result.
    """

    def __init__(self, directory, parallel, data_dir, checkpoint_steps):
        self.crashed = {}
        self._directory = directory
        self._parallel = parallel
        self._data_dir = data_dir and str(data_dir)
        self._checkpoint_steps = checkpoint_steps
        self._live = set()
        self._stopped = False
        self._lock = threading.Lock()

    def results(self, experiments: dict[str, Experiment]):
        """Does all runs, and gives the result of each as it ends."""
        pool = concurrent.futures.ThreadPoolExecutor(self._parallel)
        futures = {
            pool.submit(self._train, name, experiment): name
            for name, experiment in experiments.items()
        }
        try:
            for future in concurrent.futures.as_completed(futures):
                name = futures[future]
                try:
                    yield self._result(name, future)
                except (processes.TrainingFailedError, ValueError) as failure:
                    self.crashed[name] = str(failure)
                    print(f"{name}: crashed: {failure}", flush=True)
        finally:
            self._stop(pool)

    def _result(self, name, future):
        diverged = None
        try:
            future.result()
        except processes.TrainingDivergedError as divergence:
            diverged = str(divergence)
        return result_of(self._directory.run(name), diverged)

    def _train(self, name, experiment):
        processes.run(
            {
                "workdir": str(self._directory.run(name).path),
                "data_dir": self._data_dir,
                "experiment": dataclasses.asdict(experiment),
                "begin_from": None,
                "checkpoint_steps": self._checkpoint_steps,
            },
            self._directory.log(name),
            echo=lambda line: self._echo(name, line),
            begun=self._begun,
            environment=_SHARED_GPU if self._parallel > 1 else {},
        )

    def _echo(self, name, line):
        if processes.is_progress(line):
            print(f"{name}  {line}", flush=True)

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
