"""Trainings that a search could have started, without any training."""

import json
import pathlib

from small_training import epoch_row

from keras_resnetv2.jobs import processes
from keras_resnetv2.jobs.child import DATA, look_at
from keras_resnetv2.training import Experiment, logs
from keras_resnetv2.training.workdir import Workdir

TEST = {"loss": 1.5, "error": 0.25}


def error_of(experiment):
    rate = experiment.learning_rate or 0.1
    return min(1.0, 1 / experiment.options["depth"] + abs(rate - 0.07))


class FakeTrainings:
    """In place of `processes.run`: leaves what a training would leave.

    Attributes:
        jobs: what was asked for, in order; the trainings and the tests.
        failing: a job's number to what it raises.
    """

    def __init__(self):
        self.jobs = []
        self.failing = {}

    def install(self, monkeypatch):
        monkeypatch.setattr(processes, "run", self)
        return self

    def __call__(self, job, log, echo):
        json.dumps(job)
        if "look_at" in job:
            data = look_at(Experiment(**job["look_at"]), job["data_dir"])
            echo(DATA + json.dumps(data))
            return
        self.jobs.append(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("a log\n")
        if error := self.failing.get(len(self.jobs) - 1):
            raise error
        workdir = Workdir(job["workdir"])
        if "experiment" not in job:
            workdir.evaluation.write_text(json.dumps(TEST))
            return
        workdir.path.mkdir(parents=True, exist_ok=True)
        experiment = Experiment(**job["experiment"])
        rows = [
            epoch_row(
                epoch,
                # The last one counts, and not the lowest.
                test_error=error_of(experiment) / 2 ** (epoch < last),
            )
            for last in [experiment.epochs]
            for epoch in range(1, last + 1)
        ]
        logs.write_rows(workdir.metrics, rows)
        echo(f"epoch {experiment.epochs}/{experiment.epochs}")

    @property
    def trained(self):
        """The ids of the trials that were trained, in order."""
        return [
            pathlib.Path(job["workdir"]).name
            for job in self.jobs
            if "experiment" in job
        ]

    @property
    def tested(self):
        """Likewise those that were tested."""
        return [
            pathlib.Path(job["workdir"]).name
            for job in self.jobs
            if "experiment" not in job
        ]
