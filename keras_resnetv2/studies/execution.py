"""`run_study`: does a study's missing runs, and resumes interrupted ones."""

import contextlib
import functools
import os

from keras_resnetv2._checks import check_count
from keras_resnetv2._directories import LockedError
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

    The same call in several processes, on one machine or on several with a
    shared directory, divides the runs: a lock makes a run one process's own
    until it has ended. What another process is doing is left to it. At the end
    such runs are tried once more, because that process may have been killed.

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
        ValueError: if the directory holds something else, or an argument does
            not fit.
    """
    check_installed("A study")
    refuse_several("A study")
    for experiment in plan.runs().values():
        check_readable(experiment.dataset)
    if checkpoint_steps is not None:
        check_count("checkpoint_steps", checkpoint_steps)
    pool = Pool(parallel)
    rows = None if rows is None else tuple(rows)
    names = [row.name for row in plan.study.rows]
    if unknown := sorted(set(rows or ()) - set(names)):
        raise ValueError(
            f"Unknown rows of study {plan.study.name!r}: received "
            f"{', '.join(unknown)}; expected some of {', '.join(names)}."
        )
    directory = Studydir(workdir)
    directory.claim(plan)
    results = directory.results()
    missing = {
        run_name(experiment): experiment
        for (row, _), experiment in plan.runs().items()
        if (rows is None or row in rows) and run_name(experiment) not in results
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
    crashed, elsewhere = _train(tasks, pool, directory)
    if elsewhere:
        tasks = {name: tasks[name] for name in elsewhere}
        crashed_again, elsewhere = _train(tasks, pool, directory)
        crashed |= crashed_again
    if elsewhere:
        parent.tell(f"Other processes are doing: {', '.join(elsewhere)}")
    return crashed


def _train(tasks, pool, directory):
    """Does the runs that no other process is doing.

    Returns:
        The crashed runs with the reasons, and the runs of other processes.
    """
    crashed, elsewhere = {}, []
    calls = {
        name: functools.partial(_do, task, name, pool, directory)
        for name, task in tasks.items()
    }
    # Closed here, so that all runs have ended before this function returns.
    with contextlib.closing(pool.call(calls)) as ended:
        for name, failure in ended:
            if isinstance(failure, LockedError):
                elsewhere.append(name)
            elif failure is not None:
                crashed[name] = str(failure)
                parent.tell(f"{name}: crashed: {failure}")
    return crashed, elsewhere


def _do(task, name, pool, directory):
    """Returns None after writing the run's result, or why there is none."""
    try:
        with directory.claimed(name):
            if name in directory.results():  # written in the meantime
                return None
            diverged = None
            try:
                pool.do(task)
            except parent.TrainingDivergedError as failure:
                diverged = str(failure)
            result = result_of(directory.run(name), diverged)
            directory.add(result)
    except (parent.TrainingFailedError, ValueError) as failure:
        return failure  # a LockedError is a ValueError
    parent.tell(_line(result))
    return None


def _line(result: Result):
    if result.last is None:  # perhaps in its first epoch, which has no time
        return f"{result.run}: fail (diverged)"
    return (
        f"{result.run}: test error {result.last:.2%} after "
        f"{result.seconds:,.0f} s"
    )
