"""Networks without a work directory, on the images of any dataset."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2 import (
    ResNetConfig,
    ResNetV2,
    classify,
    load_arrays,
    preprocess_input,
    training,
)
from keras_resnetv2._origin import Origin
from keras_resnetv2.data import CLASS_NAMES, STANDARDIZATIONS
from keras_resnetv2.data.predictions import softmax
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.training import classes

NAMES = load_arrays("fake", "test").class_names
IMAGENET = STANDARDIZATIONS["imagenet"]


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return small()


def small(origin=Origin("mine", IMAGENET, NAMES), **options):
    config = ResNetConfig(units_per_stage=(1,), widths=(8,))
    model = ResNetV2(config, **{"input_shape": (8, 8, 3), **options})
    head = model.layers[-1]
    if options.get("include_top", True):  # so that there are several answers
        kernel = np.random.default_rng(0).normal(size=(8, head.units))
        head.set_weights([kernel, 0 * kernel[0]])
    set_origin(model, origin)
    return model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"classifier_activation": None},
        {"include_preprocessing": IMAGENET},
    ],
)
def test_every_kind_of_network(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small(**options)
    result = training.evaluate(model, dataset="fake")
    test = load_arrays("fake", "test", image_size=8)
    answers = model.predict(preprocess_input(test.images, model), verbose=0)
    if "classifier_activation" in options:
        answers = softmax(answers)
    assert len(set(answers.argmax(axis=1))) > 1
    right = answers.argmax(axis=1) == test.labels
    assert result["error"] == np.mean(~right)
    loss = -np.log(answers[np.arange(128), test.labels]).mean()
    np.testing.assert_allclose(result["loss"], loss, rtol=1e-4)
    assert (result["weights"], result["images"]) == ("mine", 128)
    assert result["image_size"] == 8 and "step" not in result
    assert not list(tmp_path.iterdir())


def test_a_training_on_other_images(trained, folder, tmp_path):
    result = training.evaluate(trained, dataset=str(folder), output=tmp_path)
    network = training.load_trained(trained)
    test = load_arrays(folder, "test", image_size=32)
    answers = network.model.predict(
        network.facts.standardization(test.images), verbose=0
    ).argmax(axis=1)
    expected = [NAMES.index(test.class_names[one]) for one in test.labels]
    assert result["error"] == np.mean(answers != expected)
    assert (result["images"], result["step"]) == (len(test), 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of other sizes, of four of the ten classes."""
    root = tmp_path_factory.mktemp("pictures")
    images = load_arrays("fake", "test")
    for i in np.flatnonzero(images.labels % 3 == 0):
        name = images.class_names[images.labels[i]]
        for split in ("train", "test"):
            place = root / split / name / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.images[i][:20]).save(place)
    return root


def test_classes_are_found_by_name(folder, tmp_path):
    model = small(Origin("mine", IMAGENET, NAMES[::-1], resize=10))
    result = training.evaluate(
        model, dataset=str(folder), output=tmp_path / "new" / "results"
    )
    files = sorted(folder.glob("test/*/*.png"))
    wrong = [
        answer[0][0] != file.parent.name
        for file, answer in zip(files, classify(model, files, 1))
    ]
    assert result["images"] == len(files) and 0 < sum(wrong) < len(files)
    assert result["error"] == np.mean(wrong)
    written = tmp_path / "new" / "results"
    assert {path.name for path in written.iterdir()} == {
        "evaluation.json",
        "classes.csv",
        "confusion.csv",
        "confusion.png",
    }
    assert json.loads((written / "evaluation.json").read_text()) == result
    rows = (written / "classes.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == list(NAMES[::-1])


def test_imagenet_s_folders_are_called_by_numbers():
    names, ids = CLASS_NAMES["imagenet"], CLASS_NAMES["imagenet_ids"]
    for own, other in ((names, ids), (ids, names), (ids, ids)):
        found = classes.outputs_of(other[5:2:-1], own, 1000, "imagenette")
        assert found.tolist() == [5, 4, 3]
    assert dict(zip(ids, names))["n03041632"] == "cleaver"


def test_without_names_the_numbers_must_agree():
    assert classes.outputs_of("abc", None, 3, "data").tolist() == [0, 1, 2]
    with pytest.raises(
        ValueError, match="has 2 classes, but the network has 3"
    ):
        classes.outputs_of("ab", None, 3, "data")


ANY_SIZE = {"input_shape": (None, None, 3)}


@pytest.mark.parametrize(
    "build, options, says",
    [
        ({}, {}, "received dataset=None"),
        ({}, {"dataset": "{flat}"}, "has no folders; expected one folder"),
        (
            {},
            {"dataset": "cifar10_sample"},
            "10 of the 10.*airplane.*stripes_0",
        ),
        ({}, {"dataset": "fake", "split": "held_out"}, "Only a training holds"),
        (
            {},
            {"dataset": "fake", "image_size": 9},
            "8 pixels; received image_s",
        ),
        ({}, {"dataset": "fake", "resize": 9}, "resize=9 for images in memory"),
        ({}, {"dataset": "fake", "output": "{file}"}, "output='.*' is a file"),
        ({"include_top": False}, {"dataset": "fake"}, "neither logits nor"),
        (ANY_SIZE, {"dataset": "fake"}, "square images of a fixed size"),
        (
            {"origin": Origin()},
            {"dataset": "fake"},
            "how its images were stand",
        ),
    ],
)
def test_what_does_not_fit_is_refused(build, options, says, tmp_path, network):
    (tmp_path / "flat").mkdir()
    file = tmp_path / "flat" / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    options = {
        name: value.format(flat=tmp_path / "flat", file=file)
        if isinstance(value, str)
        else value
        for name, value in options.items()
    }
    network = small(**build) if build else network
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        training.evaluate(network, **options)
