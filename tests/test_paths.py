"""`~` is the home directory, wherever a path is given."""

import json
import pathlib

import keras
import pytest
from PIL import Image
from small_training import experiment

import keras_resnetv2
from keras_resnetv2 import analysis, data, export, training
from keras_resnetv2.data import cifar10_archive, image_folder, tfds_splits
from keras_resnetv2.data.contact_sheet import write_contact_sheet
from keras_resnetv2.export import exported
from keras_resnetv2.studies.studydir import Studydir
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.workdir import Workdir


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Another directory than the current one."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    yield home
    assert not list(here.iterdir())


def searchdir():
    pytest.importorskip("keras_tuner")
    from keras_resnetv2.tuning.searchdir import Searchdir

    return Searchdir("~/x").path


def data_dir_of_a_training():
    facts = DataFacts.of(data.load_arrays("fake"), "per_channel", None)
    workdir = Workdir("~/run")
    workdir.write(experiment(), facts, "~/x")
    return workdir.data_dir()


def data_dir_of_tfds():
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("tensorflow")
    builder = tfds_splits.find_builder("cifar10", "~/x")
    return builder.data_dir_root


NAMED = {
    "training": lambda: Workdir("~/x").path,
    "study": lambda: Studydir("~/x").path,
    "search": searchdir,
    "initial_weights": lambda: (
        experiment(initial_weights="~/x").initial_weights
    ),
    "data_dir": data_dir_of_a_training,
    "data_dir of TFDS": data_dir_of_tfds,
}


@pytest.mark.parametrize("what", NAMED)
def test_where_a_path_leads(what, home):
    assert pathlib.Path(NAMED[what]()) == home / "x"


def test_where_an_export_goes(home, monkeypatch):
    module = "other_backend"
    if keras.backend.backend() == "tensorflow":
        module = "versions"
    monkeypatch.setattr(
        f"keras_resnetv2.export.{module}.export",
        lambda model, directory, *args, **kwargs: directory,
    )
    model = keras_resnetv2.PreActResNet20()
    path = export.export_saved_model(model, "~/x", standardization="cifar10")
    assert path == home / "x"


def test_where_a_plot_goes(home):
    row = analysis.UnitRow("stage1_unit1", "identity", "", *10 * [1.0])
    measured = analysis.Propagation("net", 8, True, (row,), 5, 4)
    analysis.plot_propagation(measured, "~/x.png")
    assert (home / "x.png").exists()


def test_what_is_read(home):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (home / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(home / "x" / name)
    assert experiment(dataset="~/x").dataset == str(home / "x")
    assert len(data.load_arrays("~/x")) == len(data.open_images("~/x")) == 2
    (home / "config.json").write_text(json.dumps({"seed": 1}))
    assert training.read_settings("~/config.json") == {"seed": 1}
    network = keras_resnetv2.ResNetConfig(depth=8)
    model = keras_resnetv2.ResNetV2(network)
    model.save_weights(home / "x.weights.h5")
    keras_resnetv2.ResNetV2(network, weights="~/x.weights.h5")
    keras_resnetv2.load_backbone(model, "~/x.weights.h5")
    model = keras_resnetv2.PreActResNet20(weights="cifar10")
    assert keras_resnetv2.classify(model, "~/x/a/1.png", 1)
    assert image_folder.list_pictures(["~/x/a"])[0] == str(home / "x/a/1.png")
    write_contact_sheet("~/sheet.png", [home / "x/a/1.png"], [["a"]])
    assert (home / "sheet.png").exists()
    with pytest.raises(ValueError, match=f"{home}/x is not an export"):
        exported.find_version("~/x")
    with pytest.raises(FileNotFoundError, match=str(home)):
        cifar10_archive.read_archive("~/x.tgz")
