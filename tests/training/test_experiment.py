import dataclasses
import json

import numpy as np
import pytest

from keras_resnetv2.data import (
    AUGMENTATIONS,
    STANDARDIZATION_KINDS,
    STANDARDIZATIONS,
    Standardization,
)
from keras_resnetv2.models.remat import REMATS
from keras_resnetv2.training import (
    RECIPES,
    DataFacts,
    Experiment,
    load_trained,
)
from keras_resnetv2.training.compiling import SCHEDULES
from keras_resnetv2.training.experiment import CHOICES, changed_settings
from keras_resnetv2.training.workdir import Workdir

FACTS = DataFacts(
    class_names=("cat", "dog"),
    image_shape=(32, 32, 3),
    standardization=Standardization(
        np.float32([1.1, 2.2, 3.3]), np.float32([0.1, 0.7, 1e-3])
    ),
    images=50,
)


def experiment(**kwargs):
    return Experiment(
        **{"model": "PreActResNet20", "dataset": "fake", **kwargs}
    )


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"model": "ResNet20"}, "'ResNet20'.*PreActResNet20"),
        ({"recipe": "adam"}, "'adam'.*'paper'"),
        ({"precision": "float8"}, "'float8'.*'mixed_bfloat16'"),
        ({"epochs": 0}, "epochs must be.*at least 1"),
        ({"batch_size": -1}, "batch_size must be.*at least 1"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"precision": None}, "Unknown precision: received None"),
        ({"seed": None}, "seed must be from 0"),
        ({"learning_rate": -1.0}, "learning_rate must be.*larger than 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"held_out": 0.0}, "held_out must be a fraction, larger than 0"),
        ({"held_out": 1.0}, "held_out must be a fraction.*received 1.0"),
        ({"held_out": 5000}, "held_out must be a fraction.*received 5000"),
        ({"weight_decay": -1e-4}, "weight_decay must be.*at least 0"),
        ({"seed": -1}, "seed must be"),
        ({"standardization": "per_image"}, "'per_image'.*'per_channel'"),
        ({"augmentation": "mixup"}, "'mixup'.*'crop_flip'"),
        ({"recipe": "modern", "batch_size": 1}, "batch_size=1. Use at least 2"),
        ({"batch_size": 10, "replicas": 4}, "cannot be divided.*multiple"),
        ({"options": {"width": 3}}, "Unknown options: received width"),
        ({"options": {"gate_bias": 1.0}}, "gate_bias has no effect"),
        ({"options": {"depth": 21}}, r"6n\+2"),
    ],
)
def test_bad_settings_say_what_to_do(kwargs, says):
    with pytest.raises(ValueError, match=says):
        experiment(**kwargs)


def test_types_name_what_the_tables_have():
    assert {name: set(names) for name, names in CHOICES.items()} == {
        "recipe": set(RECIPES),
        "schedule": set(SCHEDULES),
        "standardization": {*STANDARDIZATION_KINDS, *STANDARDIZATIONS},
        "augmentation": set(AUGMENTATIONS),
        "remat": set(REMATS),
        "precision": set(CHOICES["precision"]),  # Keras has the table
    }


def test_the_docstring_has_the_recipes_own_numbers():
    doc = " ".join(Experiment.__doc__.split())
    rates = ", ".join(f"{n} {r.learning_rate}" for n, r in RECIPES.items())
    assert f"before it falls. Default: the recipe's ({rates})" in doc
    for field in dataclasses.fields(Experiment):
        assert f" {field.name}: {field.metadata['help']}." in doc


def test_recipe_brings_its_initializer_unless_given():
    assert experiment().config().kernel_initializer == "he_normal"
    by_torch = experiment(recipe="torch")
    assert by_torch.config().kernel_initializer == "he_normal_fan_out"
    options = {"kernel_initializer": "he_normal"}
    given = experiment(recipe="torch", options=options)
    assert given.config().kernel_initializer == "he_normal"


def test_workdir_round_trip(tmp_path):
    asked = experiment(
        options={"shortcut": "dropout", "dropout_rate": 0.2}, epochs=3
    )
    workdir = Workdir(tmp_path / "new")
    workdir.check(asked)
    workdir.write(asked, FACTS)
    read, facts = workdir.read()
    assert read == asked
    assert facts == FACTS
    stored = json.loads(workdir.settings.read_text())
    assert stored["config"]["dropout_rate"] == 0.2
    assert stored["total_steps"] == 3


def test_a_workdir_older_than_a_setting(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.write(experiment(), FACTS)
    values = json.loads(workdir.settings.read_text())
    del values["experiment"]["held_out"]
    workdir.settings.write_text(json.dumps(values))
    assert workdir.read() == (experiment(), FACTS)
    workdir.check(experiment())


def test_a_folder_of_images_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    assert experiment(dataset="pictures").dataset == str(tmp_path / "pictures")
    assert experiment(dataset="cifar10").dataset == "cifar10"


def test_workdir_keeps_where_the_data_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workdir = Workdir(tmp_path / "new")
    workdir.write(experiment(), FACTS, data_dir="datasets")
    assert workdir.data_dir() == str(tmp_path / "datasets")
    workdir.check(experiment())  # not a setting: it may change


def test_a_first_write_cut_off_is_no_foreign_directory(tmp_path):
    (tmp_path / ".experiment.json.part").write_text('{"exp')
    Workdir(tmp_path).check(experiment())


def test_workdir_of_other_settings_is_refused(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.write(experiment(epochs=3), FACTS)
    workdir.check(experiment(epochs=3))
    with pytest.raises(ValueError, match="epochs: 3 there, 4 asked for"):
        workdir.check(experiment(epochs=4))
    workdir.check(experiment(epochs=3, replicas=2))  # of another machine


def test_foreign_and_empty_workdirs(tmp_path):
    empty = Workdir(tmp_path)
    empty.check(experiment())
    with pytest.raises(ValueError, match="it has no experiment.json"):
        empty.read()
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(
        ValueError, match="neither empty nor the work directory"
    ):
        empty.check(experiment())
    with pytest.raises(ValueError, match="is a file"):
        Workdir(tmp_path / "thesis.tex").check(experiment())
    for damaged in (b'{"experiment": {"mod', b"\xf7\x80", b"[]", b"null"):
        (tmp_path / "experiment.json").write_bytes(damaged)
        with pytest.raises(ValueError, match="json cannot be read as"):
            empty.read()


def test_workdir_without_a_checkpoint_says_so(tmp_path):
    Workdir(tmp_path).write(experiment(), FACTS)
    with pytest.raises(ValueError, match="no checkpoint yet"):
        load_trained(tmp_path)


def test_settings_that_were_changed():
    """What the recipe brings, the augmentation, is none of them."""
    settings = Experiment(
        "ResNet18V2",
        "folder",
        {"shortcut": "conv"},
        recipe="imagenet",
        epochs=2,
        batch_size=64,
        seed=3,
    )
    assert settings.augmentation == "scale"
    assert changed_settings(settings) == {"epochs": 2, "batch_size": 64}
