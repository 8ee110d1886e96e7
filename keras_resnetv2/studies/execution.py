"""`run_study`: does a study's missing runs, and resumes interrupted ones."""

import contextlib
import functools
import os

from keras_resnetv2._checks import check_count
from keras_resnetv2._directories import locked
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data.datasets import check_readable
from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.job import Train
from keras_resnetv2.jobs.pool import Pool, Task
from keras_resnetv2.studies.plan import Plan
from keras_resnetv2.studies.results import Result, result_of
from keras_resnetv2.studies.study import run_name
from keras_resnetv2.studies.studydir import Studydir
from keras_resnetv2.training.workers import refuse_several


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

    Each run is a training in its own process and work directory. If it
    diverges, that is its result. If it crashes or is interrupted, it has no
    result, and the next call resumes it. A run's line is written to
    results.jsonl as soon as the run has ended.

    Args:
        plan: the study, and how it is run.
        workdir: directory of studies, see `Studydir`.
        rows: names of the rows to run; None for all.
        parallel: number of trainings at once. With several, each has its own
            GPU if there are enough; otherwise they share.
        data_dir: where TensorFlow Datasets keeps its data.
        checkpoint_steps: steps between checkpoints; None for one per epoch.

    Returns:
        A dict from the names of crashed runs to the reasons.

    Raises:
        ImportError: if a package is missing; says what to install.
        KeyboardInterrupt: after Ctrl-C; no finished step is lost.
        OSError: for errors that every other run would also hit; no finished
            step is lost.
        ValueError: if the directory holds something else, another process is
            using it, or an argument does not fit.
    """
    check_installed("A study")
    refuse_several("A study")
    for experiment in plan.runs().values():
        check_readable(experiment.dataset)
    if checkpoint_steps is not None:
        check_count("checkpoint_steps", checkpoint_steps)
    pool = Pool(parallel)
    names = [row.name for row in plan.study.rows]
    if unknown := sorted(set(rows or ()) - set(names)):
        raise ValueError(
            f"Unknown rows of study {plan.study.name!r}: received "
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
        parent.tell(
            f"{plan.study.name}: {done} of {len(plan.runs())} runs have a "
            f"result; {len(missing)} left to do."
        )
        tasks = {
            name: Task(
                Train(
                    str(directory.run(name).path),
                    experiment,
                    data_dir and str(data_dir),
                    checkpoint_steps=checkpoint_steps,
                ),
                directory.log(name),
                echo=functools.partial(parent.tell_progress, f"{name}  "),
            )
            for name, experiment in missing.items()
        }
        return _train(tasks, pool, directory, results)


def _train(tasks, pool, directory, results):
    """Writes each run's result when it ends; returns crashes and reasons."""
    crashed = {}
    # Closed here, so that all runs have ended before this function returns.
    with contextlib.closing(pool.run(tasks)) as ended:
        for name, failure in ended:
            try:
                result = _result(directory.run(name), failure)
            except (parent.TrainingFailedError, ValueError) as error:
                crashed[name] = str(error)
                parent.tell(f"{name}: crashed: {error}")
                continue
            results[result.run] = result
            directory.write_results(results)
            parent.tell(_line(result))
    return crashed


def _result(workdir, failure):
    diverged = None
    if isinstance(failure, parent.TrainingDivergedError):
        diverged = str(failure)
    elif failure is not None:
        raise failure
    return result_of(workdir, diverged)


def _line(result: Result):
    told = "fail (diverged)"
    if result.last is not None:
        told = f"test error {result.last:.2%}"
    return f"{result.run}: {told} after {result.seconds:,.0f} s"
