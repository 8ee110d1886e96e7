"""From a work directory to a row of the table, its file and its record."""

import json
import pathlib
import runpy
import shutil

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from small_training import cut_fake, experiment

from keras_resnetv2 import ResNetV2, data, training
from keras_resnetv2.models.published import PublishedWeights
from keras_resnetv2.training import publishing

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "publish.py"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("publishing") / "run"
    run = experiment(options={"depth": 8}, epochs=1, learning_rate=0.01, seed=3)
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_fake(monkeypatch)
        training.train(run, path)
    return path


@pytest.fixture
def known_standardization(workdir, monkeypatch):
    used = training.load_trained(workdir).facts.standardization
    monkeypatch.setitem(data.STANDARDIZATIONS, "fake", used)


def test_what_is_written_is_what_is_stated(
    workdir, known_standardization, tmp_path, agree
):
    row = publishing.publish(workdir, tmp_path / "files")
    path = tmp_path / "files" / "PreActResNet20-depth=8-fake.weights.h5"
    assert row.file == path.name and row.size == path.stat().st_size
    assert (row.steps, row.seed, row.options) == (4, 3, {"depth": 8})
    assert row.command == (
        """echo '{"model": "PreActResNet20", "dataset": "fake", """
        """"recipe": "paper", "epochs": 1, "batch_size": 64, """
        """"learning_rate": 0.01, "seed": 3, "options": {"depth": 8}}' """
        "> settings.json && keras-resnetv2-train --config=settings.json"
    )
    test = data.load_arrays("fake", "test")
    logits = publishing.answers(row, path, test.images)
    assert row.test_error == np.mean(logits.argmax(axis=1) != test.labels)
    trained = training.load_trained(workdir)
    images = trained.facts.standardization(test.images)
    expected = trained.model.predict(images, verbose=0)
    agree("published file's logits", logits, expected, 1e-5)
    assert ResNetV2(row.config, weights=path).output_shape == (None, 10)
    record = publishing.record(logits)
    assert record["labels"] == logits.argmax(axis=1).tolist()
    np.testing.assert_allclose(record["logits"], logits[:8], atol=1e-5)
    assert publishing.publish(workdir, tmp_path / "again") == row


def test_one_command_does_it_all(
    workdir, known_standardization, tmp_path, capsys
):
    tool = runpy.run_path(str(TOOL))
    records = tmp_path / "records.json"
    records.write_text('{"older.weights.h5": {}}')
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(
        workdir=str(workdir), folder=str(tmp_path), records=str(records)
    ):
        tool["main"]([])
    printed = capsys.readouterr().out
    row = eval(printed, {"PublishedWeights": PublishedWeights})
    assert (tmp_path / row.file).stat().st_size == row.size
    written = json.loads(records.read_text())
    assert written.keys() == {"older.weights.h5", row.file}
    assert len(written[row.file]["labels"]) == 500


def test_what_a_user_could_not_repeat_is_refused(workdir, tmp_path):
    with pytest.raises(
        ValueError, match="differs from .*'fake'.*one of.*cifar10"
    ):
        publishing.publish(workdir, tmp_path / "files")
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("name, value", [("held_out", 0.1), ("image_size", 32)])
def test_other_images_are_refused(
    workdir, known_standardization, tmp_path, name, value
):
    workdir = shutil.copytree(workdir, tmp_path / "run")
    settings = workdir / "experiment.json"
    values = json.loads(settings.read_text())
    values["experiment"][name] = value
    settings.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=f"was trained with {name}={value}"):
        publishing.publish(workdir, tmp_path / "files")


def test_other_published_weights_are_not_written_over(
    workdir, known_standardization, tmp_path
):
    file = tmp_path / "PreActResNet20-depth=8-fake.weights.h5"
    file.write_bytes(b"others")
    with pytest.raises(ValueError, match="holds other published weights"):
        publishing.publish(workdir, tmp_path)
    assert file.read_bytes() == b"others"


def test_a_training_that_was_cut_off_is_refused(
    workdir, known_standardization, tmp_path
):
    workdir = shutil.copytree(workdir, tmp_path / "run")
    settings = workdir / "experiment.json"
    values = json.loads(settings.read_text())
    values["experiment"]["epochs"] = 2
    settings.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="has done 4 of 8 steps"):
        publishing.publish(workdir, tmp_path / "files")
