"""What users have on disk from 0.1.0 still loads and goes on.

The files were written by 0.1.0 (commit e999687), with networks of 8 layers and
2, 4 and 8 filters: networks with their answers to 4 images of `fake`, a
training that was stopped after step 6 of 12, a search of 2 trials, a study.
"""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import keras_resnetv2
from keras_resnetv2 import analysis, data, studies, training

FILES = pathlib.Path(__file__).with_name("files_0_1_0")
ANSWERS = json.loads((FILES / "answers.json").read_text())


@pytest.fixture
def files(tmp_path):
    return pathlib.Path(shutil.copytree(FILES, tmp_path / "files"))


def images():
    return data.load_arrays("fake", "test").take(4).images / 128 - 1


def config(**options):
    return keras_resnetv2.ResNetConfig(depth=8, widths=(2, 4, 8), **options)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_networks(name):
    model = keras.models.load_model(FILES / name)
    found = model(images().astype("float32"), training=False)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found), ANSWERS[name], atol=1e-5
    )


def test_weights():
    path = FILES / "network.weights.h5"
    model = keras_resnetv2.ResNetV2(config(), weights=str(path))
    other = keras_resnetv2.ResNetV2(config(classes=3))
    keras_resnetv2.load_backbone(other, str(path))
    for layer in ("stem_conv", "stage3_unit1_conv2"):
        np.testing.assert_array_equal(
            *(net.get_layer(layer).get_weights()[0] for net in (model, other))
        )
    with pytest.raises(ValueError, match="shortcut_conv/kernel is missing; s"):
        keras_resnetv2.ResNetV2(config(shortcut="conv"), weights=str(path))


@pytest.mark.parametrize("name", ["full_preactivation", "own_head"])
def test_a_network_is_frozen_by_stages(name):
    model = keras.models.load_model(FILES / f"{name}.keras")
    training.freeze(model, 1)
    thawed = {layer.name for layer in model.layers if layer.trainable_weights}
    assert not any(layer.startswith(("stem_", "stage1_")) for layer in thawed)
    assert {"stage2_unit1_conv1", "head_bn"} < thawed


@pytest.mark.parametrize(
    "name, classifier",
    [("full_preactivation", "predictions"), ("own_head", "my_classes")],
)
def test_a_network_takes_a_backbone(name, classifier):
    model = keras.models.load_model(FILES / f"{name}.keras")
    before = model.get_layer(classifier).get_weights()[0]
    path = str(FILES / "network.weights.h5")
    keras_resnetv2.load_backbone(model, path)
    donor = keras_resnetv2.ResNetV2(config(), weights=path)
    for layer in ("stem_conv", "head_bn"):
        np.testing.assert_array_equal(
            *(net.get_layer(layer).get_weights()[0] for net in (model, donor))
        )
    after = model.get_layer(classifier).get_weights()[0]
    np.testing.assert_array_equal(after, before)
    with pytest.raises(ValueError, match="published"):
        keras_resnetv2.load_backbone(model, "cifar10")


@pytest.mark.parametrize(
    "name, shortcut",
    [("exclusive_gating", "exclusive_gating"), ("own_head", "identity")],
)
def test_a_network_is_measured(name, shortcut):
    model = keras.models.load_model(FILES / f"{name}.keras")
    labels = np.arange(4) % 3
    measured = analysis.measure(model, images().astype("float32"), labels)
    assert [row.shortcut for row in measured.rows] == [shortcut] * 3
    assert [row.transition for row in measured.rows] == [
        "",
        "padding",
        "padding",
    ]
    assert max(row.numpy_difference for row in measured.rows) < 1e-5


def test_a_training_goes_on(files, capsys):
    settings = training.read_settings(files / "training/experiment.json")
    experiment = training.Experiment(**settings)
    rows = training.train(experiment, files / "training")
    assert "Resuming at step 6 of 12." in capsys.readouterr().out
    assert [(row.epoch, row.step) for row in rows] == [(1, 4), (2, 8), (3, 12)]
    assert training.load_trained(files / "training").step == 12


def test_a_finished_search_is_read(files):
    tuning = pytest.importorskip("keras_resnetv2.tuning")
    settings = json.loads((files / "search/search.json").read_text())
    found = tuning.search(
        training.Experiment(**settings["base"]),
        files / "search",
        max_trials=2,
        search=settings["search"],
    )
    assert [row.trial for row in found.rows] == ["0", "1"]
    assert found.best.trial == "0" and found.best.error == 0.8
    assert found.test["images"] == 128


def test_a_finished_row_is_reported(files):
    directory = studies.Studydir(files / "study")
    [plan] = directory.plans()
    assert studies.run_study(plan, directory.path, rows=("good",)) == {}
    [result] = directory.results().values()
    assert result.last == 0.796875
    studies.write_report(directory.path)
    assert "79.69" in directory.markdown.read_text()
