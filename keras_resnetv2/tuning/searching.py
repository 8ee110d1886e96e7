"""`search`: finds the best configuration of a search space."""

import copy
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import grpc
from absl import logging

from keras_resnetv2._directories import locked
from keras_resnetv2._files import absolute_path
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import brief, images_found
from keras_resnetv2.data.datasets import check_readable
from keras_resnetv2.data.image_folder import list_images
from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.job import DescribeData
from keras_resnetv2.jobs.pool import Pool
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.workers import refuse_several
from keras_resnetv2.tuning import distributed
from keras_resnetv2.tuning.hyperparameters import HELD_OUT, TRIAL_EPOCHS
from keras_resnetv2.tuning.oracles import (
    FAILURES_IN_A_ROW,
    check_tuner,
    make_oracle,
)
from keras_resnetv2.tuning.searchdir import Searchdir
from keras_resnetv2.tuning.space import SearchSpace
from keras_resnetv2.tuning.trial_runner import TrialRunner
from keras_resnetv2.tuning.trials import OBJECTIVE, TrialRow, best

_IDLE_SECONDS = 1.0


class SearchResult(NamedTuple):
    """What `search` returns.

    Attributes:
        rows: one per trial.
        best: the trial with the lowest error on the held-out images.
        experiment: its settings, for a full training.
        test: its loss and error on the test set, as `evaluate` returns them;
            None if the test failed.
    """

    rows: list[TrialRow]
    best: TrialRow
    experiment: Experiment
    test: dict | None

    __repr__ = brief


def search(
    base: Experiment,
    workdir: str | os.PathLike,
    *,
    tuner: str = "random",
    max_trials: int | None = None,
    space: Mapping | None = None,
    search: Iterable[str] | None = None,
    max_parameters: int | None = None,
    max_flops: int | None = None,
    data_dir: str | os.PathLike | None = None,
    parallel: int = 1,
) -> SearchResult | None:
    """Searches, or resumes the search in `workdir`.

    Each trial is a training in its own process and work directory. It is
    tested after its last step, on held-out training images. Its memory is
    freed at its end. If its process is killed, the trial has failed. The test
    set is read once, for the best trial (and again if a later call with more
    trials finds a better one).

    An interrupted search repeats no finished trial, and resumes the unfinished
    one.

    With KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT and KERASTUNER_TUNER_ID in
    the environment, several processes search together. This one is the chief
    if its id contains "chief", else a worker. All need the same `workdir`.

    Args:
        base: all settings that are not searched. `epochs` (10) is the length
            of a trial; with Hyperband, of the longest trial. `held_out` (0.1)
            is the fraction of the training images on which trials are tested.
        workdir: directory of the search.
        tuner: "random", "hyperband", "bayesian" or "grid".
        max_trials: number of trials; a later call may give more. Defaults to
            20 with "random" and "bayesian", else to all trials of the method.
        space: name -> list of choices, (low, high) range, or fixed value; see
            `SearchSpace`.
        search: names of further hyper-parameters to search. The others keep the
            base's values. Defaults to all.
        max_parameters: largest number of trainable parameters. Networks above
            it, or above `max_flops`, are not drawn.
        max_flops: largest number of multiply-adds per image.
        data_dir: where TensorFlow Datasets keeps its data.
        parallel: number of trials at once. With several, each gets
            `base.replicas` GPUs (one if that is None) if there are enough;
            otherwise they share.

    Returns:
        A `SearchResult`; None in a worker.

    Raises:
        ConnectionError: in a chief, if its workers are gone.
        ImportError: if a package is missing; says what to install.
        OSError: if a file cannot be written or read; nothing is lost.
        ValueError: if the work directory holds something else, settings do not
            fit, or all trials failed.
    """
    check_installed("A search")
    refuse_several("A search")
    check_readable(base.dataset)
    base = dataclasses.replace(
        base,
        epochs=base.epochs or TRIAL_EPOCHS,
        held_out=base.held_out or HELD_OUT,
    )
    pool = Pool(parallel)
    role = distributed.role()
    if role and parallel > 1:
        raise ValueError(
            f"parallel={parallel} is for a search on one machine, but "
            "KERASTUNER_ORACLE_IP is set for several. Omit parallel, and start "
            "more workers."
        )
    directory = Searchdir(workdir)
    search = None if search is None else list(search)
    # Check the arguments before any image is read.
    SearchSpace(base, space, search=search)
    check_tuner(tuner, max_trials)
    settings = {
        "base": dataclasses.asdict(base),
        "tuner": tuner,
        "space": {
            # JSON does not distinguish a range from a list of choices.
            name: {"range": value} if isinstance(value, tuple) else value
            for name, value in (space or {}).items()
        },
        "search": search,
        "max_parameters": max_parameters,
        "max_flops": max_flops,
    }
    data_dir = data_dir and absolute_path(data_dir)
    data = directory.check(settings) or _describe_data(base, data_dir)
    searched = SearchSpace(
        base,
        space,
        search=search,
        classes=data["classes"],
        input_shape=data["input_shape"],
        max_parameters=max_parameters,
        max_flops=max_flops,
    )
    runner = TrialRunner(directory, searched, pool, data_dir, data["tested"])
    make = functools.partial(
        make_oracle, tuner, searched, max_trials=max_trials, seed=base.seed
    )
    if role == "worker":
        _work_for_chief(
            make(None), runner, lambda: directory.check(settings), pool
        )
        return None
    with locked(directory.path):
        # Another search may have run here in the meantime.
        directory.check(settings)
        oracle = make(directory.state)
        if oracle.end_order:
            print(f"Resuming: {len(oracle.end_order)} trials are done.")
        directory.write(settings, data)
        oracle.on_end = lambda trial: runner.tell(
            oracle.trials.values(), trial.trial_id
        )
        if role == "chief":
            distributed.serve(oracle)
        else:
            for cut_off in list(oracle.ongoing_trials):
                oracle.requeue(cut_off)
            _work_here(oracle, runner, pool)
        return _result(oracle, runner, directory)


def _work_here(oracle, runner, pool):
    if pool.parallel == 1:
        _work(oracle, "tuner0", runner.run, pool)
        return
    works = {
        tuner_id: functools.partial(_work, oracle, tuner_id, runner.run, pool)
        for tuner_id in (f"tuner{i}" for i in range(pool.parallel))
    }
    for _ in pool.call(works):
        pass


def _work(oracle, tuner_id, run, pool):
    while True:
        # A copy: another thread reads the oracle's before it has its score.
        trial = copy.copy(oracle.create_trial(tuner_id))
        if trial.status == "STOPPED":
            return
        if trial.status == "IDLE":
            pool.pause(_IDLE_SECONDS)
            continue
        try:
            error, epochs = run(trial)
        except parent.TrainingFailedError as failure:
            trial.status, trial.message = "FAILED", str(failure)
        else:
            oracle.update_trial(trial.trial_id, {OBJECTIVE: error}, step=epochs)
            trial.status = "COMPLETED"
        oracle.end_trial(trial)


def _work_for_chief(oracle, runner, check, pool):
    try:
        with distributed.connect(oracle) as client:
            client.get_space()  # now the chief has written its settings
            if check() is None:
                raise ValueError(
                    "The chief's search is not in this workdir. Chief and "
                    "workers need the same directory, on a shared disk."
                )
            _work(client, client.tuner_id, runner.run, pool)
    except grpc.RpcError as error:
        raise ConnectionError(
            f"The chief failed: {error.details()}. See the chief's output."
        ) from error


def _result(oracle, runner, directory):
    rows = runner.rows(oracle.trials.values())
    runner.write(rows)
    winner = best(rows)
    reasons = [row.reason for row in rows if row.reason]
    if winner is None:
        raise ValueError(
            f"None of the {len(rows)} trials succeeded. The last failure: "
            f"{reasons[-1] if reasons else 'no trial was begun'}. The logs are "
            f"in {directory.path / 'logs'}. Correct the cause, and search in a "
            "new --workdir."
        )
    missing = (oracle.max_trials or 0) - len(rows)
    if missing > 0 and not oracle.given_up:
        logging.warning(
            "The search ended after %d of %d trials: its space and budget "
            "allow no more.",
            len(rows),
            oracle.max_trials,
        )
    if oracle.given_up:
        logging.warning(
            "The search ended early because %d trials in a row failed. The "
            "last failure: %s. The same command resumes the search.",
            FAILURES_IN_A_ROW,
            reasons[-1],
        )
    return SearchResult(
        rows=rows,
        best=winner,
        experiment=runner.in_full(winner),
        test=_tested(runner, winner, directory),
    )


def _tested(runner, winner, directory):
    try:
        return runner.test(winner.trial)
    except (parent.AllStoppedError, parent.TrainingFailedError) as error:
        logging.warning(
            "The best trial could not be tested: %s. The log is %s; the same "
            "command tries again.",
            error,
            directory.log(winner.trial),
        )
        return None


def _describe_data(base, data_dir):
    if base.is_folder:
        list_images(base.dataset, "train")  # warns of the files it leaves out
    job = DescribeData(base, data_dir)
    try:
        data = parent.run(job, pathlib.Path(os.devnull), lambda line: None)
    except parent.TrainingFailedError as error:
        raise ValueError(f"A search cannot use this data: {error}") from error
    counts = {"to train on": data["images"], "to test on": data["tested"]}
    print(images_found(data["classes"], counts))
    return data
