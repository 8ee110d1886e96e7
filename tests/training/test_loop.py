"""Training end to end on small data: logs, checkpoints, resume, evaluation."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from small_training import experiment

from keras_resnetv2 import data, training
from keras_resnetv2.training import evaluation, images, logs


def test_training_leaves_everything_and_evaluates_alike(tmp_path):
    # As wide as it is: narrow, it takes more epochs to learn.
    whole = experiment(epochs=4, options={"depth": 8})
    rows = training.train(whole, tmp_path)
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    assert [row.step for row in rows] == [8, 16, 24, 32]
    # "fake" can be learnt: better than the 90% error of chance.
    assert rows[-1].test_error < 0.6
    assert rows[-1].train_loss < rows[0].train_loss

    assert logs.read_rows(tmp_path / "metrics.csv") == rows
    assert any((tmp_path / "tensorboard").iterdir())
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 800
    kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert kept == [f"step-{s:09d}.npz" for s in (24, 32)]

    result = training.evaluate(tmp_path)
    assert result["images"] == 128
    assert result["step"] == 32
    np.testing.assert_allclose(result["error"], rows[-1].test_error)
    np.testing.assert_allclose(result["loss"], rows[-1].test_loss, rtol=1e-4)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result
    assert result["top5_error"] <= result["error"]
    assert 0 <= result["calibration_error"] <= 1
    by_class = (tmp_path / "classes.csv").read_text().splitlines()
    assert len(by_class) == 11 and by_class[1].startswith("stripes_0,13,")
    confusion = np.loadtxt(
        tmp_path / "confusion.csv",
        int,
        delimiter=",",
        skiprows=1,
        usecols=range(1, 11),
    )
    wrong = confusion.sum() - np.trace(confusion)
    assert wrong / 128 == result["error"]

    # The independent way: the saved model, Keras's own loss and metric.
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    test = data.load_arrays("fake", "test")
    facts = training.load_trained(tmp_path).facts
    images = data.preprocess_input(test.images, facts.standardization)
    loss, accuracy = model.evaluate(images, test.labels, verbose=0)
    np.testing.assert_allclose(loss, result["loss"], rtol=1e-4)
    np.testing.assert_allclose(1 - accuracy, result["error"], atol=1e-6)

    # The same command once more: nothing left to do, the same rows.
    assert training.train(whole, tmp_path) == rows


def test_held_out_images_are_tested_on_and_not_trained_on(
    tmp_path, small_fake, capsys
):
    asked = experiment(held_out=0.25, epochs=2)
    rows = training.train(asked, tmp_path)
    # 150 images: 3 steps of 64 an epoch.
    assert [row.step for row in rows] == [3, 6]
    assert capsys.readouterr().out.count("held-out loss") == 2
    rest, held_out = data.hold_out(small_fake("fake", "train"), 0.25)
    facts = training.load_trained(tmp_path).facts
    assert facts.images == len(rest)
    measured = data.Standardization.from_images(rest.images)
    assert facts.standardization == measured

    result = training.evaluate(tmp_path, split="held_out")
    assert result["images"] == len(held_out)
    np.testing.assert_allclose(result["error"], rows[-1].test_error)
    np.testing.assert_allclose(result["loss"], rows[-1].test_loss, rtol=1e-4)
    assert training.evaluate(tmp_path, split="train")["images"] == len(rest)
    assert training.evaluate(tmp_path)["images"] == 70
    for suffix, count in (("", 70), ("-train", len(rest))):
        kept = (tmp_path / f"evaluation{suffix}.json").read_text()
        assert json.loads(kept)["images"] == count
        assert (tmp_path / f"classes{suffix}.csv").exists()
    assert "classes.csv" in capsys.readouterr().out

    (tmp_path / "evaluation.json").unlink()
    (tmp_path / "evaluation.json").mkdir()  # not even root writes it
    training.evaluate(tmp_path)
    assert "classes.csv" not in capsys.readouterr().out

    with pytest.raises(ValueError, match="held_out: 0.25 there, None asked"):
        training.train(experiment(epochs=2), tmp_path)


def test_lost_or_spoilt_metrics_do_not_move_the_schedule(
    tmp_path, small_fake, trained
):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "model.keras").unlink()
    for path in (tmp_path / "checkpoints").glob("*12.npz"):
        path.unlink()
    rows = training.train(experiment(), tmp_path)  # from step 8
    assert [(row.epoch, row.step) for row in rows] == [(3, 12)]
    assert rows[0].learning_rate == pytest.approx(0.001)
    # Finished, but cut off before the network was saved.
    (tmp_path / "model.keras").unlink()
    assert training.train(experiment(), tmp_path) == rows
    assert (tmp_path / "model.keras").is_file()
    (tmp_path / "metrics.csv").write_text("epoch,step\n1,2\n")
    with pytest.raises(ValueError, match="Move it away"):
        training.train(experiment(), tmp_path)


def test_going_on_on_another_backend_is_said(
    tmp_path, small_fake, trained, caplog
):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "checkpoints" / "step-000000012.npz").unlink()
    settings = tmp_path / "experiment.json"
    values = json.loads(settings.read_text())
    values["versions"]["backend"] = "another"
    settings.write_text(json.dumps(values))
    training.train(experiment(), tmp_path)
    backend = keras.backend.backend()
    assert f"ran on another; this one runs on {backend}" in caplog.text


def test_resuming_with_another_remat(tmp_path, small_fake, trained):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "checkpoints" / "step-000000012.npz").unlink()
    (tmp_path / "model.keras").unlink()
    resumed = training.train(experiment(remat="unit"), tmp_path)
    whole = logs.read_rows(trained / "metrics.csv")
    assert [row.step for row in resumed] == [row.step for row in whole]
    np.testing.assert_allclose(
        resumed[-1].test_loss, whole[-1].test_loss, rtol=1e-4
    )
    assert training.load_trained(tmp_path).experiment.remat == "unit"


def test_precision_reaches_the_network(tmp_path, small_fake):
    mixed = experiment(epochs=1, precision="mixed_bfloat16")
    rows = training.train(mixed, tmp_path)
    assert keras.config.dtype_policy().name == "float32"
    saved = keras.models.load_model(tmp_path / "model.keras")
    assert saved.get_layer("stage1_unit1_conv1").compute_dtype == "bfloat16"
    assert saved.get_layer("predictions").compute_dtype == "float32"
    rebuilt = training.load_trained(tmp_path).model
    assert rebuilt.get_layer("stem_conv").compute_dtype == "bfloat16"
    as_float32 = training.load_trained(tmp_path, dtype="float32").model
    assert as_float32.get_layer("stem_conv").compute_dtype == "float32"
    logits = evaluation.predict_logits(
        as_float32,
        small_fake("fake", "test"),
        training.load_trained(tmp_path).facts.standardization,
    )
    result = evaluation.loss_and_error(
        logits, small_fake("fake", "test").labels
    )
    np.testing.assert_allclose(result["loss"], rows[-1].test_loss, rtol=0.05)


def test_evaluation_counts_every_image_once(small_fake):
    images = small_fake("fake", "test")
    logits = np.random.default_rng(0).normal(size=(70, 10))
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()])
    standardization = data.Standardization.from_images(
        images.images, "per_channel"
    )
    for batch_size in (64, 70, 7, 1, 500):
        flat = evaluation.predict_logits(
            model, images, standardization, batch_size
        )
        np.testing.assert_allclose(
            flat, standardization(images.images).reshape(70, -1), atol=1e-5
        )
    result = evaluation.loss_and_error(logits, images.labels)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(p[np.arange(70), images.labels]).mean()
    np.testing.assert_allclose(result["loss"], expected)
    wrong = sum(row.argmax() != y for row, y in zip(logits, images.labels))
    assert result["error"] == wrong / 70


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"batch_size": 1000}, "fewer than one batch"),
        ({"dataset": "no_such_data"}, "no_such_data"),
        ({"model": "ResNet18V2", "options": {}}, "at least 32 x 32|3, 32"),
        ({"image_size": 3, "options": {"depth": 8}}, "at least 4 x 4"),
    ],
)
def test_bad_input_leaves_no_workdir(tmp_path, kwargs, says):
    if kwargs.get("model") == "ResNet18V2":
        kwargs = {**kwargs, "image_size": 16}
    with pytest.raises((ValueError, ImportError), match=says):
        training.train(experiment(**kwargs), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_data_than_the_training_began_with(
    tmp_path, small_fake, monkeypatch
):
    training.train(experiment(epochs=1), tmp_path)
    monkeypatch.setattr(images, "load_arrays", data.load_arrays)
    with pytest.raises(ValueError, match="512 images.*then 200"):
        training.train(experiment(epochs=1), tmp_path)
