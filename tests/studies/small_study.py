"""A study of two rows, and trainings that are over at once."""

import threading

from small_training import epoch_row

from keras_resnetv2.data import Standardization
from keras_resnetv2.jobs.job import from_line, to_line
from keras_resnetv2.studies import Plan, Row, Study
from keras_resnetv2.training import logs
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.workdir import Workdir

SMALL = {"depth": 8, "widths": (4, 8, 16)}


def row(name, published=None, **options):
    return Row(
        name=name,
        label=f"the {name} one",
        published={} if published is None else {"a paper": published},
        model="PreActResNet20",
        options={**SMALL, **options},
        dataset="fake",
        batch_size=128,
    )


TINY = Study(
    name="tiny",
    title="Two small networks",
    rows=(
        row("good", 8.5),
        row(
            "exploding",
            "fail",
            shortcut="constant_scaling",
            shortcut_scale=1e30,
        ),
    ),
    tables={"Both": ("good", "exploding")},
    sources=("a paper",),
    epochs=3,
    seeds=2,
)
PLAN = Plan(TINY)
# 6 steps of 128: the 3 epochs of FakeTrainings.
FACTS = DataFacts(
    class_names=("one", "two"),
    image_shape=(32, 32, 3),
    standardization=Standardization((0.0,) * 3, (1.0,) * 3),
    images=256,
)


class FakeTrainings:
    """In place of `parent.run`: leaves what a training would leave.

    Attributes:
        jobs: names of the runs asked for, in order.
        errors: what a run raises, by a part of its name.
        test_errors: by epoch, of every run.
        epochs: that every run leaves behind.
        meeting: where given, every training waits there for the others.
        at_once: the largest number there was at the same time.
        environments: of the processes.
    """

    def __init__(self, monkeypatch):
        from keras_resnetv2.jobs import parent

        monkeypatch.setattr(parent, "run", self)
        self.jobs, self.environments = [], []
        self.errors = {}
        self.test_errors = [0.5, 0.25, 0.3]
        self.epochs = [1, 2, 3]
        self.meeting = None
        self.at_once = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, job, log, echo, begun, environment):
        assert from_line(to_line(job)) == job
        workdir = Workdir(job.workdir)
        with self._lock:
            self.jobs.append(workdir.path.name)
            self.environments.append(environment)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            self._train(job, workdir, log, echo)
        finally:
            with self._lock:
                self._now -= 1

    def _train(self, job, workdir, log, echo):
        if self.meeting is not None:
            self.meeting.wait(timeout=60)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("a log\n")
        workdir.write(job.experiment, FACTS)
        rows = [
            epoch_row(
                epoch, step=2 * epoch, test_error=error, time=1.7e9 + epoch
            )
            for epoch, error in enumerate(self.test_errors, 1)
            if epoch in self.epochs
        ]
        for part, error in self.errors.items():
            if part in workdir.path.name:
                logs.write_rows(workdir.metrics, rows[:1])
                raise error
        logs.write_rows(workdir.metrics, rows)
        echo("epoch 3/3")
