"""Runs cut off by SIGKILL, damaged checkpoints, a full disk."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from processes import run_forked
from small_training import experiment

from keras_resnetv2 import training
from keras_resnetv2.training import checkpoints, errors, logs
from keras_resnetv2.training.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]

# 200 images, 52 a step: 4 steps an epoch, 3 epochs; a checkpoint after 3, 4,
# 6, 8, 9 and 12 steps. Dropout has a random generator of its own.
STEPS = 12
RUN = pathlib.Path(__file__).with_name("interrupted_run.py").read_text()


def run(workdir, replicas=1, moment="", number=0):
    return run_forked(RUN, workdir, replicas, moment, number)


def first_step(done):
    found = re.search(r"Resuming at step (\d+) of 12", done.stdout)
    return int(found[1]) if found else 0


def newest(workdir):
    return checkpoints.last_step(pathlib.Path(workdir) / "checkpoints") or 0


def assert_same_training(one, other):
    weights = [
        training.load_trained(path).model.get_weights() for path in (one, other)
    ]
    for here, there in zip(*weights):
        np.testing.assert_array_equal(here, there)
    rows = [logs.read_rows(path / "metrics.csv") for path in (one, other)]
    for here, there in zip(*rows, strict=True):
        for name in ("epoch", "step", "learning_rate", "test_loss"):
            assert getattr(here, name) == getattr(there, name)
        assert here.train_loss == pytest.approx(there.train_loss, rel=1e-5)
        assert here.train_error == pytest.approx(there.train_error, abs=1e-6)


def check_killed_and_resumed(tmp_path, replicas, kills):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = run(whole, replicas)
    assert done.returncode == 0, done.stderr
    before = 0
    for moment, number, saved in kills:
        done = run(cut, replicas, moment, number)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert first_step(done) == before
        before = newest(cut)
        assert before == saved
    done = run(cut, replicas)
    assert done.returncode == 0, done.stderr
    assert 0 < first_step(done) == before < STEPS
    assert_same_training(whole, cut)


def test_killed_at_three_moments_ends_as_an_undisturbed_run(tmp_path):
    check_killed_and_resumed(
        tmp_path,
        replicas=1,
        kills=[
            ("before a step is counted", 6, 4),
            ("inside a checkpoint's write", 2, 6),  # of step 8
            ("between row and checkpoint", 1, 6),  # likewise
        ],
    )
    # TensorBoard's events hold no step twice, and none is missing.
    assert logged_steps(tmp_path / "cut") == [4, 8, 12]


@pytest.mark.multiprocess
def test_killed_with_two_replicas(tmp_path):
    check_killed_and_resumed(
        tmp_path,
        replicas=2,
        kills=[
            ("inside a checkpoint's write", 2, 3),  # of step 4
            ("before a step is counted", 4, 4),
        ],
    )


def logged_steps(workdir):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(workdir / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Tensors("test_error")]


@pytest.mark.multiprocess
@pytest.mark.parametrize("replicas", [1, 2])
def test_command_killed_from_outside_at_any_moment(tmp_path, replicas):
    command = [
        *(sys.executable, ROOT / "tools" / "train.py"),
        *("--model=PreActResNet20", "--dataset=fake", "--epochs=4"),
        *("--batch_size=64", "--checkpoint_steps=3"),
        *(f"--replicas={replicas}", f"--workdir={tmp_path}"),
    ]
    for kill in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before, deadline = newest(tmp_path), time.monotonic() + 120
        while newest(tmp_path) <= before:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(np.random.default_rng(kill).uniform(0, 0.5))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    saved = newest(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Resuming at step {saved} of 32" in done.stdout
    rows = logs.read_rows(tmp_path / "metrics.csv")
    assert [row.epoch for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "number, ending",
    [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)],
)
def test_polite_signal_loses_no_step(
    trained, tmp_path, small_fake, monkeypatch, capfd, number, ending
):
    told = []
    check = errors.check_loss

    def check_and_signal(loss, step):
        check(loss, step)
        if step == 6:
            os.kill(os.getpid(), number)
            told.append("Ctrl-C: the training" in capfd.readouterr().err)

    monkeypatch.setattr(errors, "check_loss", check_and_signal)
    handler = signal.getsignal(number)
    with pytest.raises(ending):
        training.train(experiment(), tmp_path / "cut")
    monkeypatch.setattr(errors, "check_loss", check)
    assert signal.getsignal(number) is handler
    assert newest(tmp_path / "cut") == 6
    assert told == [number == signal.SIGINT]  # inside the step
    training.train(experiment(), tmp_path / "cut")
    assert_same_training(trained, tmp_path / "cut")


class StopAtStep6(keras.callbacks.Callback):
    left = 6

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.model.stop_training = True


@pytest.mark.parametrize("ema", [0, 0.8])
def test_stopped_by_a_callback_and_killed_at_the_end(
    trained, tmp_path_factory, small_fake, monkeypatch, ema
):
    def die(*args):
        raise RuntimeError("killed")

    tmp_path = tmp_path_factory.mktemp("stopped")
    if ema:
        trained = tmp_path_factory.mktemp("whole")
        training.train(experiment(ema=ema), trained)
    saved = tmp_path / "model.keras"
    stop = [StopAtStep6()]
    rows = training.train(experiment(ema=ema), tmp_path, callbacks=stop)
    assert [row.step for row in rows] == [4]
    assert newest(tmp_path) == 6 and saved.exists()
    with monkeypatch.context() as patch:
        patch.setattr(Workdir, "save_model", die)
        with pytest.raises(RuntimeError, match="killed"):
            training.train(experiment(ema=ema), tmp_path)
    assert newest(tmp_path) == STEPS and not saved.exists()
    training.train(experiment(ema=ema), tmp_path)
    assert_same_training(trained, tmp_path)
    last = training.load_trained(tmp_path).model.get_weights()
    for here, there in zip(keras.models.load_model(saved).get_weights(), last):
        np.testing.assert_array_equal(here, there)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def zero_a_page(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    path.write_bytes(content)


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def flip_one_bit_of_the_directory(path):
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] ^= 1  # how it is compressed
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        zero,
        zero_a_page,
        flip_one_bit,
        flip_one_bit_of_the_directory,
        pathlib.Path.unlink,
    ],
)
def test_damaged_checkpoint_is_noticed(trained, tmp_path, damage, caplog):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    newest_file = tmp_path / "checkpoints" / f"step-{STEPS:09d}.npz"
    damage(newest_file)
    assert training.load_trained(tmp_path).step == 8
    if newest_file.exists():
        assert "Resuming from step-000000008.npz instead" in caplog.text


def test_training_goes_on_from_the_one_before(trained, tmp_path, small_fake):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    zero(tmp_path / "checkpoints" / f"step-{STEPS:09d}.npz")
    rows = training.train(experiment(), tmp_path)
    assert [row.step for row in rows] == [4, 8, 12]  # no doubled row
    assert_same_training(trained, tmp_path)


def test_no_checkpoint_left(tmp_path, small_fake):
    training.train(experiment(epochs=1), tmp_path)
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="None of the checkpoints"):
        training.load_trained(tmp_path)


def test_full_disk_stops_the_run_and_keeps_the_checkpoint(
    tmp_path, small_fake, monkeypatch
):
    save = checkpoints.save

    def save_on_a_full_disk(model, directory, step, state):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if step == 8:  # the system refuses to write more than this
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
        try:
            save(model, directory, step, state)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(checkpoints, "save", save_on_a_full_disk)
    with pytest.raises(OSError, match="checkpoint of step 4 is intact"):
        training.train(experiment(), tmp_path)
    assert os.listdir(tmp_path / "checkpoints") == ["step-000000004.npz"]
    monkeypatch.undo()
    assert training.load_trained(tmp_path).step == 4
