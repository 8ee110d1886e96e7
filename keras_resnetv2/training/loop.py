"""`train`: from an experiment and a work directory to a trained network."""

import datetime
import math
import os
import warnings

import keras

from keras_resnetv2.data import ImageData, load_arrays, training_batches
from keras_resnetv2.training import checkpoints, evaluation, logs, recipes
from keras_resnetv2.training.experiment import (
    DataFacts,
    Experiment,
    build_model,
)
from keras_resnetv2.training.progress import Progress
from keras_resnetv2.training.strategy import (
    check_divides,
    make_strategy,
    precision,
    scope,
)
from keras_resnetv2.training.workdir import Workdir


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
) -> list[logs.EpochRow]:
    """Trains, or goes on where the last run in `workdir` ended.

    Args:
        experiment: the settings; the same ones when going on.
        workdir: directory for the settings, checkpoints, logs and curves.
        data_dir: where TensorFlow Datasets keeps its data.

    Returns:
        One row of metrics an epoch, those of earlier runs included.

    Raises:
        ValueError: if the work directory holds something else, or the data and
            the settings do not fit.
    """
    workdir = Workdir(workdir)
    workdir.claim(experiment)
    strategy = make_strategy(experiment.replicas)
    images, test = (
        load_arrays(
            experiment.dataset,
            split,
            data_dir=data_dir,
            image_size=experiment.image_size,
        )
        for split in ("train", "test")
    )
    if workdir.settings.exists():
        _, facts = workdir.read()
        _check_same_data(facts, images)
    else:
        facts = DataFacts.of(images, experiment.standardization)
    batch_size = experiment.images_per_step
    check_divides(batch_size, strategy.num_replicas_in_sync if strategy else 1)

    keras.utils.set_random_seed(experiment.seed)
    steps = experiment.total_steps(len(images))
    with precision(experiment.precision), scope(strategy):
        model = build_model(experiment, facts)
        recipes.compile(
            model,
            experiment.recipe,
            total_steps=steps,
            learning_rate=experiment.learning_rate,
            weight_decay=experiment.weight_decay,
        )
        first_step = checkpoints.restore(model, workdir.checkpoints) or 0
    rows = [r for r in logs.read_rows(workdir.metrics) if r.step <= first_step]
    if first_step >= steps:
        if not workdir.model.exists():
            workdir.save_model(model)
        return rows
    batches = training_batches(
        images,
        batch_size=batch_size,
        standardization=facts.standardization,
        augmentation=experiment.augmentation,
        seed=experiment.seed,
        first_step=first_step,
        steps=steps,
        framework=evaluation.framework(),
    )
    # Not before all of the above has fitted: bad input leaves nothing behind.
    workdir.write(experiment, facts, data_dir)
    if first_step:
        print(f"Resuming at step {first_step:,} of {steps:,}.")

    schedule = recipes.schedule(
        experiment.recipe, steps, experiment.learning_rate
    )
    steps_per_epoch = math.ceil(len(images) / batch_size)
    progress = Progress(first_step, steps, batch_size)
    with warnings.catch_warnings():
        # The last epoch may be a shorter one: 64k steps are 163.7 epochs.
        warnings.filterwarnings("ignore", ".*input ran out of data.*")
        model.fit(
            batches,
            initial_epoch=first_step // steps_per_epoch,
            epochs=math.ceil(steps / steps_per_epoch),
            steps_per_epoch=steps_per_epoch,
            shuffle=False,  # the batches are in their order
            verbose=0,
            callbacks=[
                progress,
                EpochEnd(workdir, facts, test, rows, progress, schedule),
            ],
        )
    return rows


class EpochEnd(keras.callbacks.Callback):
    """After an epoch: tests, logs, draws, and then writes the checkpoint."""

    def __init__(
        self,
        workdir: Workdir,
        facts: DataFacts,
        test: ImageData,
        rows: list[logs.EpochRow],
        progress: Progress,
        schedule,
    ):
        super().__init__()
        self._workdir = workdir
        self._facts = facts
        self._test = test
        self._rows = rows
        self._progress = progress
        self._schedule = schedule
        self._events = logs.Events(workdir.tensorboard)

    def on_epoch_end(self, epoch, logs=None):
        """Writes everything that a resumed run and a reader need."""
        row = self._row(epoch, logs)
        self._rows.append(row)
        self._log(row)
        checkpoints.save(self.model, self._workdir.checkpoints, row.step)
        self._progress.line(self._line(row))

    def on_train_end(self, logs=None):
        """Saves the trained network, without its optimizer."""
        self._workdir.save_model(self.model)

    def _row(self, epoch, metrics):
        logits = evaluation.predict_logits(
            self.model, self._test, self._facts.standardization
        )
        tested = evaluation.loss_and_error(logits, self._test.labels)
        return logs.EpochRow(
            epoch=epoch + 1,
            step=self._progress.step,
            learning_rate=round(
                float(self._schedule(self._progress.step - 1)), 9
            ),
            train_loss=float(metrics["loss"]),
            train_error=1.0 - float(metrics["accuracy"]),
            test_loss=tested["loss"],
            test_error=tested["error"],
            images_per_second=round(self._progress.images_per_second, 1),
            seconds=round(self._progress.seconds(), 2),
        )

    def _log(self, row):
        logs.write_rows(self._workdir.metrics, self._rows)
        self._events.write(row)
        logs.plot_curves(
            self._workdir.curves, self._rows, title=self.model.name
        )

    def _line(self, row):
        total = self._progress.total_steps
        left = (total - row.step) * row.seconds / self._progress.epoch_steps
        return (
            f"epoch {row.epoch}  step {row.step:,}/{total:,}  "
            f"rate {row.learning_rate:.2g}  "
            f"train loss {row.train_loss:.3f} error {row.train_error:.1%}  "
            f"test loss {row.test_loss:.3f} error {row.test_error:.1%}  "
            f"{row.images_per_second:,.0f} images/s  "
            f"left {datetime.timedelta(seconds=round(left))}"
        )


def _check_same_data(facts, data):
    found = (len(data), tuple(data.image_shape), tuple(data.class_names))
    stored = (facts.images, facts.image_shape, facts.class_names)
    if found != stored:
        raise ValueError(
            "The training images are not those that this training began with: "
            f"{len(data)} images of {data.image_shape} in "
            f"{len(data.class_names)} classes, then {facts.images} of "
            f"{facts.image_shape} in {len(facts.class_names)}. Give the same "
            "data, or another --workdir."
        )
