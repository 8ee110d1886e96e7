"""Runs the trials of a search, and reports them."""

import dataclasses
import functools
import json
import os
from collections.abc import Iterable

from keras_tuner.engine.trial import Trial

from keras_resnetv2._files import write_json
from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.job import Evaluate, Train
from keras_resnetv2.jobs.pool import Pool, Task
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.logs import read_rows
from keras_resnetv2.tuning import trial_report
from keras_resnetv2.tuning.searchdir import Searchdir
from keras_resnetv2.tuning.space import SearchSpace
from keras_resnetv2.tuning.trials import (
    EPOCHS,
    PREVIOUS_TRIAL,
    TrialRow,
    best,
    summary_line,
    trial_rows,
    values_text,
)


class TrialRunner:
    """Runs the trials, and reports them on the terminal and in files.

    Args:
        directory: directory of the search.
        space: the search space.
        pool: runs the trials' jobs.
        data_dir: where TensorFlow Datasets keeps its data.
        held_out: number of images on which trials are tested.
    """

    def __init__(
        self,
        directory: Searchdir,
        space: SearchSpace,
        pool: Pool,
        data_dir: str | os.PathLike | None,
        held_out: int,
    ):
        self._directory = directory
        self._space = space
        self._pool = pool
        self._data_dir = data_dir
        self._held_out = held_out

    def run(self, trial: Trial) -> tuple[float, int]:
        """Trains a trial, or resumes an interrupted one.

        Returns:
            Its error on the held-out images after the last step, and its
            epochs.

        Raises:
            KeyboardInterrupt: after Ctrl-C; nothing is lost.
            OSError: for errors that the next trial would also hit.
            TrainingFailedError: if the trial failed.
        """
        values = trial.hyperparameters.values
        experiment = dataclasses.replace(
            self._space.experiment(values),
            epochs=values.get(EPOCHS, self._space.base.epochs),
        )
        workdir = self._directory.trial(trial.trial_id)
        previous = values.get(PREVIOUS_TRIAL)
        parent.tell(
            f"trial {trial.trial_id}  {values_text(self._space.values(values))}"
        )
        self._do(
            trial.trial_id,
            Train(
                str(workdir.path),
                experiment,
                self._data_dir,
                begin_from=previous
                and str(self._directory.trial(previous).path),
            ),
        )
        row = read_rows(workdir.metrics)[-1]
        return row.test_error, row.epoch

    def tell(self, trials: Iterable[Trial], ended: str) -> None:
        """Prints a trial's result, and writes the report of all trials.

        Args:
            trials: all trials.
            ended: id of the trial that has ended.
        """
        rows = self.rows(trials)
        [row] = [row for row in rows if row.trial == ended]
        parent.tell(summary_line(row, best(rows)))
        self.write(rows)

    def rows(self, trials: Iterable[Trial]) -> list[TrialRow]:
        """Returns trials as rows, with the duration of their trainings."""
        return [self._timed(row) for row in trial_rows(trials, self._space)]

    def write(self, rows: list[TrialRow]) -> None:
        """Writes the report, and the best trial's settings."""
        base = self._space.base
        trial_report.write_report(
            self._directory.path,
            rows,
            title=f"{base.model} on {base.dataset}",
            held_out_images=self._held_out,
        )
        if winner := best(rows):
            fields = dataclasses.asdict(self.in_full(winner))
            write_json(self._directory.best, fields)

    def in_full(self, row: TrialRow) -> Experiment:
        """Returns a trial's settings for all images and the full recipe."""
        return dataclasses.replace(
            self._space.experiment(row.values), epochs=None, held_out=None
        )

    def test(self, trial_id: str) -> dict:
        """Tests a trial's network on the test set, once."""
        workdir = self._directory.trial(trial_id)
        if not workdir.evaluation.exists():
            self._do(trial_id, Evaluate(str(workdir.path), self._data_dir))
        return json.loads(workdir.evaluation.read_text())

    def _do(self, trial_id, job):
        # When several run at once, each line names its trial.
        whose = f"trial {trial_id}  " if self._pool.parallel > 1 else "  "
        self._pool.do(
            Task(
                job,
                self._directory.log(trial_id),
                functools.partial(parent.tell_progress, whose),
            )
        )

    def _timed(self, row):
        epochs = read_rows(self._directory.trial(row.trial).metrics)
        seconds = sum(epoch.seconds for epoch in epochs)
        return dataclasses.replace(row, seconds=seconds or None)
