"""`train`: trains the network of an experiment in a work directory."""

import dataclasses
import os
from collections.abc import Sequence

import keras
from absl import logging

from keras_resnetv2._checks import check_count
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data.batches import check_divides
from keras_resnetv2.data.image_folder import RULE
from keras_resnetv2.models.network import replicas_in
from keras_resnetv2.models.remat import check_remat
from keras_resnetv2.training import checkpoints, logs
from keras_resnetv2.training.averaging import averaged
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.determinism import make_deterministic
from keras_resnetv2.training.devices import (
    check_batch_normalization,
    make_strategy,
    precision,
    scope,
    scope_of_fit,
)
from keras_resnetv2.training.errors import plain_errors
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.fine_tuning import (
    freeze,
    initial_standardization,
    load_initial_weights,
)
from keras_resnetv2.training.images import (
    check_image_files,
    check_same_data,
    experiment_batches,
    found,
    load_training,
)
from keras_resnetv2.training.monitor import (
    InputWait,
    Monitor,
    Tally,
    check_callbacks,
)
from keras_resnetv2.training.networks import build_model, compile_model
from keras_resnetv2.training.processes import Processes
from keras_resnetv2.training.stop_requests import StopRequests
from keras_resnetv2.training.workdir import Workdir, versions
from keras_resnetv2.training.workers import WorkerLostError, own_batches


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    checkpoint_steps: int | None = None,
    check_images: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] | None = (),
) -> list[logs.EpochRow]:
    """Trains, or resumes the training in `workdir`.

    If the process is killed, only the steps since the last checkpoint are
    lost. The resumed training ends with the same weights as an uninterrupted
    one. After Ctrl-C or SIGTERM, the training finishes its step, writes a
    checkpoint and ends; nothing is lost.

    If TF_CONFIG names several workers, or on JAX Keras's own variables, each of
    them makes this call, and all train together. `workdir` is then a directory
    that they share. The first worker writes it. A signal to one of them ends
    all; if one is lost, the others end with an OSError. On JAX their processes
    end.

    Args:
        experiment: the settings; the same ones when resuming.
        workdir: directory for the settings, checkpoints, logs and curves.
        data_dir: where TensorFlow Datasets keeps its data.
        checkpoint_steps: number of steps between checkpoints. A checkpoint is
            also written after every epoch.
        check_images: whether to read every image file of a folder before
            training starts.
        callbacks: Keras's, W&B's, MLflow's or your own. They see the
            training's epochs; the numbers continue after resuming. If the
            weights are averaged (`ema`), the network has the averages at an
            epoch's end and at the training's; weights that are set at an
            epoch's end do not last. The logs of an epoch are loss, accuracy,
            val_loss, val_accuracy and learning_rate. The recipe sets the
            learning rate; callbacks that set it are refused. If a callback sets
            `model.stop_training`, the training ends there, also within an
            epoch; the same call resumes it. The weights at the end, such as
            those that `EarlyStopping(restore_best_weights=True)` restores, are
            saved in model.keras and in the last checkpoint. A callback's own
            state, such as the best epoch so far, is not restored. Every worker
            calls its own ones.

    Returns:
        One `EpochRow` per epoch, including earlier sessions.

    Raises:
        DivergedError: if the loss or a weight becomes NaN or infinite.
        ImportError: if a package is missing; says what to install.
        OSError: if a file cannot be written; the last checkpoint remains.
        ValueError: if the work directory holds something else, or data and
            settings do not fit.
    """
    check_installed("A training")
    callbacks = check_callbacks(callbacks)
    if checkpoint_steps is not None:
        check_count("checkpoint_steps", checkpoint_steps)
    workdir = Workdir(workdir)
    strategy = make_strategy(experiment.replicas)  # before anything runs
    make_deterministic(experiment.deterministic)
    processes = Processes(strategy)
    with processes.together():
        check_batch_normalization(
            experiment.config().batch_normalization, strategy
        )
        workdir.check(experiment)
        check_remat(experiment.remat)
    processes.check_same(
        {
            **dataclasses.asdict(experiment),
            **versions(),
            "checkpoint_steps": checkpoint_steps,
        }
    )
    processes.check_shared(workdir.path)
    print(f"Reading the images of {experiment.dataset}.", flush=True)
    with processes.together():
        facts, images, test = _data(experiment, workdir, data_dir, check_images)
        check_divides(experiment.images_per_step, replicas_in(strategy))
    processes.check_same({**facts.to_json(), "test images": len(test)})

    keras.utils.set_random_seed(experiment.seed)
    steps = experiment.total_steps(len(images))
    with (
        processes.lost_workers(),
        precision(experiment.precision),
        scope(strategy),
    ):
        model = build_model(experiment, facts)
        freeze(model, experiment.frozen_stages)
        compile_model(model, experiment, steps)
        with processes.together():
            restored = checkpoints.restore(model, workdir.checkpoints)
        if restored is None:
            load_initial_weights(model, experiment.initial_weights)
    first_step = restored.step if restored else 0
    if processes.count > 1:
        processes.check_same(
            {"step": first_step, "weights": checkpoints.checksum(model)}
        )
    rows = [r for r in logs.read_rows(workdir.metrics) if r.step <= first_step]
    if first_step >= steps:
        missing = processes.is_chief and not workdir.model.exists()
        if any(processes.sums([missing])):
            with averaged(model):  # on JAX, all must assign
                if processes.is_chief:
                    workdir.save_model(model)
        processes.wait()
        return rows
    batches = own_batches(
        strategy,
        lambda part: experiment_batches(
            experiment,
            images,
            facts.standardization,
            first_step=first_step,
            steps=steps,
            part=part,
        ),
    )
    print(
        found(
            {"to train on": images, "to test on": test},
            experiment.model,
            model,
            steps,
        )
    )
    if processes.count > 1:
        print(
            f"Worker {processes.index} of {processes.count}; worker 0 writes "
            "all files and prints the epochs."
        )
    if first_step:
        workdir.warn_of_another_backend()
        print(f"Resuming at step {first_step:,} of {steps:,}.")
    processes.wait()  # they have read what the chief now writes
    if processes.is_chief:
        # Written only after all checks: bad input leaves no files behind.
        workdir.write(experiment, facts, data_dir)
        # A callback may have stopped an earlier session. If this one is
        # killed, its model.keras must not remain.
        workdir.model.unlink(missing_ok=True)

    input_wait = InputWait()
    with StopRequests() as stop_requests:
        with plain_errors():
            monitor = Monitor(
                workdir=workdir,
                experiment=experiment,
                facts=facts,
                test=test,
                first_step=first_step,
                carried=Tally(**restored.state["epoch"])
                if restored
                else Tally(),
                rows=rows,
                input_wait=input_wait,
                checkpoint_steps=checkpoint_steps,
                stop_requests=stop_requests,
                callbacks=callbacks,
                processes=processes,
            )
        try:
            with (
                plain_errors(),
                processes.lost_workers(),
                scope_of_fit(strategy),
            ):
                model.fit(
                    input_wait.measure(model, batches),
                    # One Keras "epoch": fit cannot start within an epoch.
                    steps_per_epoch=steps - first_step,
                    shuffle=False,  # the batches are in their order
                    verbose=0,
                    callbacks=[monitor],
                )
        except WorkerLostError:
            raise
        except OSError as error:
            raise _with_advice(error, workdir) from error
        finally:
            monitor.close()
    return rows


def _data(experiment, workdir, data_dir, check_images):
    """Returns facts of the training's data, and the images of both splits."""
    facts = workdir.read()[1] if workdir.settings.exists() else None
    folder_rule = facts.folder_rule if facts else RULE
    if folder_rule < RULE and experiment.is_folder:
        logging.warning(
            "This training began with version 0.1.0, and resumes with its "
            "rules for folders: subfolders of a class are not read, and the "
            "EXIF orientation is ignored. For the current rules, give a new "
            "--workdir."
        )
    # Looks for the initial weights before the images are read.
    standardization = None if facts else initial_standardization(experiment)
    if check_images:
        check_image_files(experiment, folder_rule)
    images, test = load_training(experiment, data_dir, folder_rule)
    if facts:
        check_same_data(experiment, facts, images)
    else:
        facts = DataFacts.of(images, standardization, experiment.encoded_size)
    return facts, images, test


def _with_advice(error, workdir):
    last = checkpoints.last_step(workdir.checkpoints)
    advice = "No checkpoint was written yet."
    if last:
        advice = (
            f"The checkpoint of step {last:,} is intact; the same command "
            "resumes from it."
        )
    return OSError(f"The training stopped: {error}. {advice}")
