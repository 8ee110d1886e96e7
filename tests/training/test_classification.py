"""Names and scores of picture files."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resnetv2 import (
    PreActResNet20,
    ResNet18V2,
    ResNetConfig,
    ResNetV2,
    classify,
    data,
    decode_predictions,
    load_arrays,
    load_trained,
    preprocess_input,
    training,
)
from keras_resnetv2._origin import Origin
from keras_resnetv2.data import CLASS_NAMES, STANDARDIZATIONS, Standardization
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.training import evaluation
from keras_resnetv2.training.trained import Trained


@pytest.fixture(scope="module")
def published():
    return PreActResNet20(weights="cifar10")


@pytest.fixture
def files(tmp_path):
    images = load_arrays("cifar10_sample", "test").take(5).images
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    return paths


def test_the_network_s_own_classes_in_order(published, files, monkeypatch):
    images = load_arrays("cifar10_sample", "test").take(5).images
    scores = published.predict(preprocess_input(images, published))
    expected = decode_predictions(scores, 2, published)
    # Two batches, the last one smaller.
    monkeypatch.setattr(evaluation, "_IMAGES", 3)
    found = classify(published, files, 2)
    assert len(found) == 5
    for answer, row in zip(found, expected):
        assert [name for name, _ in answer] == [name for _, name, _ in row]
        np.testing.assert_allclose(
            [score for _, score in answer], [s for *_, s in row], atol=1e-5
        )
    for file in (files[0], str(files[0])):
        [[(name, _)]] = classify(published, file, 1)
        assert name == found[0][0][0]


@pytest.mark.parametrize("include_preprocessing", [False, True])
def test_pictures_of_any_size_as_evaluated(
    include_preprocessing, tmp_path, published
):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(np.rot90(wide, -1)).save(tmp_path / "a.png", exif=exif)
    network = PreActResNet20(
        weights="cifar10", include_preprocessing=include_preprocessing
    )
    [found] = classify(network, tmp_path / "a.png", 10)
    centre = Image.fromarray(wide[:, 16:80]).resize(
        (32, 32), Image.Resampling.BILINEAR
    )
    scores = published.predict(
        preprocess_input(np.asarray(centre)[None], "cifar10")
    )
    expected = {
        name: s for _, name, s in decode_predictions(scores, 10, published)[0]
    }
    for name, score in found:
        assert abs(score - expected[name]) < 0.02


def test_a_training_answers_in_its_own_names(tmp_path):
    for name in ("tulip", "rose"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(5):
            pixels = np.full((40, 48, 3), 40 * i, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    own = training.Experiment(
        "ResNet18V2",
        str(tmp_path / "data"),
        options={"units_per_stage": (1, 1), "widths": (4, 8)},
        recipe="imagenet",
        image_size=32,
        epochs=1,
        batch_size=4,
    )
    training.train(own, tmp_path / "run")
    trained = load_trained(tmp_path / "run")
    assert trained.resize == trained.model.origin.resize == 37
    test = data.open_images(own.dataset, "test")
    logits = evaluation.predict_logits(
        trained.model, test, trained.facts.standardization
    )
    saved = keras.models.load_model(tmp_path / "run" / "model.keras")
    for answer, row in zip(classify(saved, test.paths), logits):
        expected = np.exp(row) / np.exp(row).sum()
        assert [name for name, _ in answer] == [
            ("rose", "tulip")[i] for i in np.argsort(-row)
        ]
        np.testing.assert_allclose(answer[0][1], expected.max(), atol=0.02)


def small(**options):
    """A network that says it knows CIFAR-10; quickly built."""
    config = ResNetConfig(units_per_stage=(1,), widths=(4,))
    network = ResNetV2(config, **options)
    names = CLASS_NAMES["cifar10"]
    origin = Origin(None, STANDARDIZATIONS["cifar10"], names)
    set_origin(network, origin)
    return network


@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_the_network_says_what_its_answers_are(activation, files):
    network = small(classifier_activation=activation)
    kernel, bias = network.get_layer("predictions").weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(np.linspace(0.19, 0.01, 10))  # like probabilities
    [answer] = classify(network, files[0], 10)
    function = keras.activations.get(activation or "softmax")
    scores = [score for _, score in answer]
    np.testing.assert_allclose(scores, function(bias[None])[0], rtol=1e-5)


def test_what_the_network_does_not_know_is_given(published, files):
    expected = classify(published, files[:2])
    pixels = keras.Input((32, 32, 3))
    scaled = preprocess_input(pixels, published)
    outer = keras.Model(pixels, published(scaled))
    with pytest.raises(ValueError, match="Give standardization="):
        classify(outer, files)
    nothing = Standardization([0, 0, 0], [1, 1, 1])
    found = classify(outer, files[:2], standardization=nothing)
    letters = "abcdefghij"
    named = classify(published, files[:2], 10, class_names=list(letters[::-1]))
    for answer, other, letter in zip(expected, found, named):
        assert [name for name, _ in answer] == [name for name, _ in other]
        scores = [[score for _, score in row] for row in (answer, other)]
        np.testing.assert_allclose(*scores, atol=1e-5)
        best = CLASS_NAMES["cifar10"].index(answer[0][0])
        assert letter[0][0] == letters[9 - best]
    with pytest.raises(ValueError, match="class_names="):
        classify(published, files, class_names=["cat", "dog"])


def test_a_folder_stands_for_its_pictures(published, files):
    trained = Trained(published, None, None, 0)
    assert classify(trained, files[0].parent) == classify(published, files)
    (files[0].parent / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="no pictures"):
        classify(published, files[0].parent / "none")


@pytest.mark.parametrize(
    "files, says",
    [
        (np.zeros((2, 32, 32, 3)), "a ndarray.*preprocess_input"),
        ([np.zeros((32, 32, 3))], "a ndarray.*preprocess_input"),
        (Image.new("RGB", (32, 32)), "a Image.*preprocess_input"),
    ],
)
def test_what_is_no_file_is_named(files, says, published):
    with pytest.raises(ValueError, match=says):
        classify(published, files)


def test_what_cannot_be_read(published, files, caplog):
    files[1].write_text("no picture")
    with pytest.raises(ValueError, match="1.png cannot be read"):
        classify(published, files)
    found = classify(published, files, skip_unreadable=True)
    assert [answer is None for answer in found] == [False, True] + [False] * 3
    assert "1.png cannot be read" in caplog.text
    assert classify(published, files[1:2], skip_unreadable=True) == [None]
    assert classify(published, []) == []


@pytest.mark.parametrize(
    "network, says",
    [
        (lambda: PreActResNet20(name="mine"), "'mine' does not know how"),
        (
            lambda: PreActResNet20(
                include_preprocessing="cifar10", name="mine"
            ),
            "'mine' does not know the names",
        ),
        (
            lambda: PreActResNet20(weights="cifar10", include_top=False),
            "does not know the names|classifier",
        ),
        (
            lambda: PreActResNet20(weights="cifar10", input_shape=(32, 48, 3)),
            r"32, 48, 3\), but square images of a fixed size",
        ),
        (lambda: ResNet18V2(input_shape=(None, None, 3)), "of a fixed size"),
        (lambda: "runs/a", "path runs/a. Load it: load_trained"),
        (
            lambda: PreActResNet20(features=True),
            "one output is needed.*3 outputs",
        ),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "no outputs"),
    ],
)
def test_networks_that_know_too_little_are_refused(network, says, files):
    with pytest.raises(ValueError, match=says):
        classify(network(), files)
