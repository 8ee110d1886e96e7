"""The work between steps: tests, logs, checkpoints, the progress bar."""

import dataclasses
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from tqdm import tqdm

from keras_resnetv2._text import duration
from keras_resnetv2.data import EncodedImages, ImageData
from keras_resnetv2.training import checkpoints, errors, evaluation
from keras_resnetv2.training import logs as logs_lib
from keras_resnetv2.training.averaging import (
    averaged,
    averages_of,
    set_averages,
)
from keras_resnetv2.training.compiling import schedule_of
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.determinism import seed_step
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.processes import Processes
from keras_resnetv2.training.stop_requests import SIGNALS, StopRequests
from keras_resnetv2.training.workdir import Workdir

_RATE = (
    "The recipe sets the learning rate; {} cannot. Give learning_rate=, "
    "epochs= or another recipe."
)
_REFUSED = {
    keras.callbacks.LearningRateScheduler: _RATE,
    keras.callbacks.ReduceLROnPlateau: _RATE,
    keras.callbacks.BackupAndRestore: (
        "{} would replace the weights by those of another step. Omit it: the "
        "work directory has checkpoints."
    ),
}


def check_callbacks(
    callbacks: Iterable[keras.callbacks.Callback] | None,
) -> list[keras.callbacks.Callback]:
    """Checks that a training can use these callbacks.

    Args:
        callbacks: the user's callbacks; None means none.

    Returns:
        A list of them.

    Raises:
        ValueError: if it cannot; names the callback.
    """
    if isinstance(callbacks, keras.callbacks.Callback):
        raise ValueError(
            "callbacks must be a list of callbacks; received a single one."
        )
    callbacks = list(callbacks or ())
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "callbacks must be keras.callbacks.Callback objects; received "
                f"{callback!r}."
            )
        for kind, reason in _REFUSED.items():
            if isinstance(callback, kind):
                raise ValueError(reason.format(type(callback).__name__))
    return callbacks


@dataclasses.dataclass(frozen=True)
class Tally:
    """The sums over the steps of an epoch so far.

    Attributes:
        steps: number of steps.
        loss: sum of their losses, in nats.
        accuracy: sum of their accuracies, as fractions.
        timed_steps: number of timed steps: all except a process's first one,
            which includes the start-up.
        timed_seconds: duration of the timed steps.
        input_wait_seconds: time spent waiting for input.
        seconds: time since the epoch began.
    """

    steps: int = 0
    loss: float = 0.0
    accuracy: float = 0.0
    timed_steps: int = 0
    timed_seconds: float = 0.0
    input_wait_seconds: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Adds every sum."""
        mine, others = map(dataclasses.astuple, (self, other))
        return Tally(*(a + b for a, b in zip(mine, others)))


class InputWait:
    """Measures the time spent waiting for the next batch.

    Attributes:
        seconds: the sum since the beginning.
    """

    def __init__(self):
        self.seconds = 0.0

    def measure(self, model: keras.Model, batches):
        """Makes a compiled model's `fit` on these batches measure the waiting.

        Args:
            model: on TensorFlow it gets a new train function, which takes the
                batch from the dataset first. Keras's does so inside its graph.
            batches: a `tf.data.Dataset` or an iterator.

        Returns:
            The batches for `fit`.
        """
        if keras.backend.backend() != "tensorflow":
            return self._timed(iter(batches))
        model.make_train_function()
        step = model.train_function

        def train_function(iterator):
            return step([self._next(iterator)])

        model.train_function = train_function
        return batches

    def _next(self, iterator):
        begin = time.perf_counter()
        try:
            return next(iterator)
        finally:
            self.seconds += time.perf_counter() - begin

    def _timed(self, iterator) -> Iterator:
        while True:
            try:
                batch = self._next(iterator)
            except StopIteration:
                return
            yield batch


class Monitor(keras.callbacks.Callback):
    """Counts steps; tests and logs after an epoch; writes checkpoints.

    To `fit`, the rest of a training is one "epoch". The real epochs are counted
    here, so that a session may begin and end within an epoch.

    Args:
        workdir: the training's work directory.
        experiment: the settings.
        facts: facts of the training data.
        test: images to test on after every epoch.
        first_step: number of steps done by earlier sessions.
        carried: their part of the epoch in which this session begins.
        rows: their rows; this session's are appended.
        input_wait: measures the time spent waiting for input.
        checkpoint_steps: steps between checkpoints; None: one per epoch.
        stop_requests: whether to end after the step.
        callbacks: the user's callbacks; they see the real epochs.
        processes: those that train together; the chief logs and writes.
    """

    def __init__(
        self,
        *,
        workdir: Workdir,
        experiment: Experiment,
        facts: DataFacts,
        test: ImageData | EncodedImages,
        first_step: int,
        carried: Tally,
        rows: list[logs_lib.EpochRow],
        input_wait: InputWait,
        checkpoint_steps: int | None,
        stop_requests: StopRequests,
        callbacks: Sequence[keras.callbacks.Callback],
        processes: Processes,
    ):
        super().__init__()
        self._workdir = workdir
        self._facts = facts
        self._test = test
        self._title = (
            f"{experiment.model} on {facts.images:,} images of "
            f"{experiment.data_name}, recipe {experiment.recipe}, seed "
            f"{experiment.seed} ({workdir.path.name})"
        )
        self._tested_on = experiment.tested_on
        self._batch_size = experiment.images_per_step
        self._total_steps = experiment.total_steps(facts.images)
        self._steps_per_epoch = experiment.steps_per_epoch(facts.images)
        self._step = self._saved = first_step
        self._seed = experiment.seed
        self._rows = rows
        self._input_wait = input_wait
        self._checkpoint_steps = checkpoint_steps or self._steps_per_epoch
        self._stop_requests = stop_requests
        self._processes = processes
        self._callbacks = keras.callbacks.CallbackList(
            callbacks,
            verbose=0,
            epochs=math.ceil(self._total_steps / self._steps_per_epoch),
            steps=self._steps_per_epoch,
        )
        self._events = None
        if processes.is_chief:
            self._events = logs_lib.Events(workdir.tensorboard, rows)
        # Only on a terminal; elsewhere only the lines are printed.
        self._bar = tqdm(
            total=self._total_steps * self._batch_size,
            initial=first_step * self._batch_size,
            unit=" images",
            unit_scale=True,
            smoothing=0.05,
            disable=None if processes.is_chief else True,
            dynamic_ncols=True,
        )
        self._started = False
        self._begin_epoch(carried)

    def _begin_epoch(self, carried=Tally()):
        self._carried = carried
        self._here = Tally()
        self._began = time.perf_counter()
        self._waited_before = self._input_wait.seconds
        self._bar.set_description(f"epoch {self._epoch + 1}")

    @property
    def _epoch(self):
        """Number of finished epochs; Keras's number of the current epoch."""
        return self._step // self._steps_per_epoch

    @property
    def _batch(self):
        """Number of the step within its epoch."""
        return self._step % self._steps_per_epoch

    def on_train_begin(self, logs=None):
        """Starts the clocks."""
        self._schedule = schedule_of(self.model.optimizer)
        self._has_average = bool(averages_of(self.model))
        self._callbacks.set_model(self.model)
        self._callbacks.on_train_begin()
        self._callbacks.on_epoch_begin(self._epoch)
        self._began = self._mark = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        """Seeds the step's random numbers with seed and step."""
        self._callbacks.on_train_batch_begin(self._batch)
        seed_step(self._seed, self._step)

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step, and does the work due after it."""
        errors.check_loss(logs["loss"], self._step + 1)
        self._callbacks.on_train_batch_end(self._batch, logs)
        self._count(logs)
        self._bar.update(self._batch_size)
        stop = self._stop()
        epoch_ends = (
            self._step % self._steps_per_epoch == 0
            or self._step == self._total_steps
        )
        if epoch_ends:
            self._end_epoch()
        if epoch_ends or self._step % self._checkpoint_steps == 0 or stop:
            self._save_checkpoint()
        # Last, so that an error in a plot or a callback loses nothing.
        if epoch_ends:
            if self._processes.is_chief:
                self._plot_curves()
            with averaged(self.model):
                self._tell_of_the_epoch()
            self._stop()  # a callback may have set stop_training
        if stop:
            self._processes.wait()  # until the chief has written it
            self._stop_requests.act(self._step)
        self._mark = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Saves the own weights: Keras replaces them by the averages next."""
        if self._has_average and self._saved != self._step:
            self._save_checkpoint()

    def on_train_end(self, logs=None):
        """Saves the trained network, after the user's callbacks."""
        before = self.model.get_weights()
        self._callbacks.on_train_end()
        after = self.model.get_weights()
        # They may have changed the weights, or stopped within an epoch.
        is_changed = not all(map(np.array_equal, before, after))
        if is_changed:
            set_averages(self.model)
        if is_changed or self._saved != self._step:
            self._save_checkpoint()
        if self._processes.is_chief:
            self._workdir.save_model(self.model)
        self._processes.wait()

    def close(self) -> None:
        """Closes the bar and the event files."""
        self._bar.close()
        if self._events:
            self._events.close()

    def _stop(self):
        """Returns whether any process is to stop; then this one is, too."""
        requests = self._stop_requests
        if self._processes.count == 1:
            return requests.received
        *received, stops = self._processes.sums(
            [
                *(requests.received == one for one in SIGNALS),
                self.model.stop_training,
            ]
        )
        if stops:
            self.model.stop_training = True
        for one, count in zip(SIGNALS, received):
            if count:
                requests.received = one
        return requests.received

    def _save_checkpoint(self):
        self._saved = self._step
        if not self._processes.is_chief:
            checkpoints.check(self.model, self._step)  # diverged: all end
            return
        checkpoints.save(
            self.model,
            self._workdir.checkpoints,
            self._step,
            {"epoch": dataclasses.asdict(self._tally())},
        )

    def _count(self, logs):
        now = time.perf_counter()
        self._step += 1
        steps = self._here.steps + 1
        self._here = Tally(
            steps=steps,
            # Keras reports means since the metrics were last reset.
            loss=steps * logs["loss"],
            accuracy=steps * logs["accuracy"],
            timed_steps=self._here.timed_steps + self._started,
            timed_seconds=self._here.timed_seconds
            + self._started * (now - self._mark),
        )
        self._started = True

    def _tally(self) -> Tally:
        clocks = Tally(
            input_wait_seconds=self._input_wait.seconds - self._waited_before,
            seconds=time.perf_counter() - self._began,
        )
        return self._carried + self._here + clocks

    def _end_epoch(self):
        tested = self._tested()
        row = self._row(self._tally(), tested)
        self._rows.append(row)
        if self._processes.is_chief:
            logs_lib.write_rows(self._workdir.metrics, self._rows)
            self._events.write(row)
            tqdm.write(self._line(row))
            sys.stdout.flush()
        self.model.reset_metrics()
        self._begin_epoch()

    def _plot_curves(self):
        logs_lib.plot_curves(
            self._workdir.curves,
            self._rows,
            title=self._title,
            tested_on=self._tested_on,
        )

    def _tell_of_the_epoch(self):
        row = self._rows[-1]
        self._callbacks.on_epoch_end(
            row.epoch - 1,
            {
                "loss": row.train_loss,
                "accuracy": 1.0 - row.train_error,
                "val_loss": row.test_loss,
                "val_accuracy": 1.0 - row.test_error,
                "learning_rate": row.learning_rate,
            },
        )
        if self._step < self._total_steps and not self.model.stop_training:
            self._callbacks.on_epoch_begin(self._epoch)

    def _tested(self):
        with averaged(self.model):
            logits = evaluation.predict_logits(
                self.model, self._test, self._facts.standardization
            )
        tested = evaluation.loss_and_error(logits, self._test.labels)
        errors.check_loss(tested["loss"], self._step)
        return tested

    def _row(self, tally, tested):
        # An epoch of one step may have only the start-up step.
        steps, seconds = tally.timed_steps, tally.timed_seconds
        if not steps:
            steps, seconds = tally.steps, tally.seconds
        return logs_lib.EpochRow(
            epoch=math.ceil(self._step / self._steps_per_epoch),
            step=self._step,
            learning_rate=round(float(self._schedule(self._step - 1)), 9),
            train_loss=tally.loss / tally.steps,
            train_error=1.0 - tally.accuracy / tally.steps,
            test_loss=tested["loss"],
            test_error=tested["error"],
            images_per_second=round(steps * self._batch_size / seconds, 1),
            input_wait_seconds=round(tally.input_wait_seconds, 3),
            seconds=round(tally.seconds, 2),
            time=round(time.time(), 2),
        )

    def _line(self, row):
        left = (self._total_steps - row.step) * row.seconds
        left /= self._carried.steps + self._here.steps
        return (
            f"epoch {row.epoch}  step {row.step:,}/{self._total_steps:,}  "
            f"rate {row.learning_rate:.2g}  "
            f"train loss {row.train_loss:.3f} error {row.train_error:.1%}  "
            f"{self._tested_on} loss {row.test_loss:.3f} "
            f"error {row.test_error:.1%}  "
            f"{row.images_per_second:,.0f} images/s  "
            f"left {duration(left)}"
        )
