"""The trials of a search: how one is run, and what is told of them."""

import dataclasses
import json
import os
from collections.abc import Iterable

from keras_tuner.engine.trial import Trial

from keras_resnetv2._files import write_atomically
from keras_resnetv2.jobs import processes
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.logs import read_rows
from keras_resnetv2.tuning import report
from keras_resnetv2.tuning.searchdir import Searchdir
from keras_resnetv2.tuning.space import SearchSpace
from keras_resnetv2.tuning.trial_text import settings, summary_line
from keras_resnetv2.tuning.trials import (
    EPOCHS,
    PREVIOUS_TRIAL,
    TrialRow,
    best,
    trial_rows,
)


class TrialRuns:
    """Runs the trials, and tells of them on the terminal and in files.

    Args:
        directory: of the search.
        space: what is searched.
        data_dir: where TensorFlow Datasets keeps its data.
        held_out: number of images on which trials are judged.
    """

    def __init__(
        self,
        directory: Searchdir,
        space: SearchSpace,
        data_dir: str | os.PathLike | None,
        held_out: int,
    ):
        self._directory = directory
        self._space = space
        self._data_dir = data_dir
        self._held_out = held_out

    def run(self, trial: Trial) -> tuple[float, int]:
        """Trains a trial, or goes on where it was cut off.

        Returns:
            Its error on the held-out images after the last step, and its
            epochs.

        Raises:
            KeyboardInterrupt: after Ctrl-C; nothing is lost.
            OSError: where the next trial would end in the same way.
            TrainingFailedError: if it came to no result.
        """
        values = trial.hyperparameters.values
        if excess := self._space.excess(values):
            raise processes.TrainingFailedError(f"not built: {excess}")
        experiment = dataclasses.replace(
            self._space.experiment(values),
            epochs=values.get(EPOCHS, self._space.base.epochs),
        )
        workdir = self._directory.trial(trial.trial_id)
        previous = values.get(PREVIOUS_TRIAL)
        print(f"trial {trial.trial_id}  {settings(self._space.values(values))}")
        self._process(
            trial.trial_id,
            {
                "experiment": dataclasses.asdict(experiment),
                "begin_from": previous
                and str(self._directory.trial(previous).path),
            },
        )
        row = read_rows(workdir.metrics)[-1]
        return row.test_error, row.epoch

    def tell(self, trials: Iterable[Trial], ended: str) -> None:
        """Prints a trial's result, and writes the report of all.

        Args:
            trials: all of them.
            ended: id of the one that has ended.
        """
        rows = self.rows(trials)
        [row] = [row for row in rows if row.trial == ended]
        print(summary_line(row, best(rows)), flush=True)
        self.write(rows)

    def rows(self, trials: Iterable[Trial]) -> list[TrialRow]:
        """Trials as rows, with the seconds that their trainings took."""
        return [self._timed(row) for row in trial_rows(trials, self._space)]

    def write(self, rows: list[TrialRow]) -> None:
        """Writes the report, and the best trial's settings."""
        base = self._space.base
        report.write_report(
            self._directory.path,
            rows,
            title=f"{base.model} on {base.dataset}",
            held_out_images=self._held_out,
        )
        if winner := best(rows):
            fields = dataclasses.asdict(self.in_full(winner))
            write_atomically(
                self._directory.best, json.dumps(fields, indent=2) + "\n"
            )

    def in_full(self, row: TrialRow) -> Experiment:
        """A trial's settings, for all images and the recipe's own length."""
        return dataclasses.replace(
            self._space.experiment(row.values), epochs=None, held_out=None
        )

    def test(self, trial_id: str) -> dict:
        """Loss and error of a trial's network on the test set, read once."""
        evaluation = self._directory.trial(trial_id).evaluation
        if not evaluation.exists():
            self._process(trial_id, {})
        return json.loads(evaluation.read_text())

    def _process(self, trial_id, job):
        processes.run(
            {
                "workdir": str(self._directory.trial(trial_id).path),
                "data_dir": self._data_dir,
                **job,
            },
            self._directory.log(trial_id),
            echo=_echo,
        )

    def _timed(self, row):
        epochs = read_rows(self._directory.trial(row.trial).metrics)
        seconds = sum(epoch.seconds for epoch in epochs)
        return dataclasses.replace(row, seconds=seconds or None)


def _echo(line):
    if processes.is_progress(line):
        print(f"  {line}", flush=True)
