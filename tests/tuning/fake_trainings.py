"""Trainings that a search could have started, without any training."""

import json
import pathlib
import threading
import time

from small_training import epoch_row

from keras_resnetv2.jobs import parent
from keras_resnetv2.jobs.child import describe_data
from keras_resnetv2.jobs.job import DescribeData, Train, from_line, to_line
from keras_resnetv2.training import logs
from keras_resnetv2.training.workdir import Workdir

TEST = {"loss": 1.5, "error": 0.25}


def error_of(experiment):
    rate = experiment.learning_rate or 0.1
    return min(1.0, 1 / experiment.options["depth"] + abs(rate - 0.07))


class FakeTrainings:
    """In place of `parent.run`: leaves what a training would leave.

    Attributes:
        jobs: what was asked for, in order; the trainings and the tests.
        failing: a job's number to what it raises.
        seconds: a job's number to how long it takes.
        environments: of the processes.
        meeting: where given, every training waits there for the others.
    """

    def __init__(self):
        self.jobs = []
        self.failing = {}
        self.seconds = {}
        self.environments = []
        self.meeting = None
        self._lock = threading.Lock()

    def install(self, monkeypatch):
        monkeypatch.setattr(parent, "run", self)
        return self

    def __call__(self, job, log, echo, begun=None, environment=None):
        assert from_line(to_line(job)) == job
        if isinstance(job, DescribeData):
            data = describe_data(job.experiment, job.data_dir)
            return json.loads(json.dumps(data))
        with self._lock:
            number = len(self.jobs)
            self.jobs.append(job)
            self.environments.append(environment)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("a log\n")
        if self.meeting is not None and isinstance(job, Train):
            self.meeting.wait(timeout=60)
        time.sleep(self.seconds.get(number, 0))
        if error := self.failing.get(number):
            raise error
        workdir = Workdir(job.workdir)
        if not isinstance(job, Train):
            workdir.evaluation.write_text(json.dumps(TEST))
            return
        workdir.path.mkdir(parents=True, exist_ok=True)
        experiment = job.experiment
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
            pathlib.Path(job.workdir).name
            for job in self.jobs
            if isinstance(job, Train)
        ]

    @property
    def tested(self):
        """Likewise those that were tested."""
        return [
            pathlib.Path(job.workdir).name
            for job in self.jobs
            if not isinstance(job, Train)
        ]
