"""Published weights: what they answer, whom they fit, where they come from."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import json
import pathlib
import threading

import h5py
import keras
import numpy as np
import pytest

from keras_resnetv2 import (
    MODELS,
    PreActResNet20,
    PreActResNet110,
    ResNet50V2,
    ResNetConfig,
    ResNetV2,
    data,
    load_arrays,
    load_backbone,
    preprocess_input,
)
from keras_resnetv2.data import STANDARDIZATIONS
from keras_resnetv2.models import (
    downloads,
    published,
    published_elsewhere,
    save_as,
)
from keras_resnetv2.models.network_configs import config_of

RECORDS = json.loads(
    pathlib.Path(__file__).with_name("published_predictions.json").read_text()
)
ROWS = [pytest.param(row, id=row.file) for row in published.PUBLISHED]


def answers(row, images):
    model = ResNetV2(row.config, weights=row.tag, classifier_activation=None)
    images = preprocess_input(images, row.tag)
    return model.predict(images, batch_size=500, verbose=0)


@pytest.mark.parametrize("row", ROWS)
def test_a_published_network_gives_its_recorded_answers(row, agree):
    test = load_arrays("cifar10_sample", "test")
    logits = answers(row, test.images)
    expected = RECORDS[row.file]
    assert logits.argmax(axis=1).tolist() == expected["labels"]
    some = np.array(expected["logits"])
    agree("published weights' logits", logits[: len(some)], some, 1e-4)
    wrong = np.mean(logits.argmax(axis=1) != test.labels)
    # 500 of the 10,000: within four standard errors.
    spread = (row.test_error * (1 - row.test_error) / 500) ** 0.5
    assert abs(wrong - row.test_error) < 4 * spread


def test_there_is_no_record_or_file_without_a_row():
    files = {row.file for row in published.PUBLISHED}
    assert RECORDS.keys() == files
    folder = pathlib.Path(published.__file__).with_name("pretrained")
    bundled = {row.file for row in published.PUBLISHED if row.bundled}
    assert {path.name for path in folder.glob("*.h5")} == bundled


@pytest.mark.parametrize("row", ROWS)
def test_the_tag_names_standardization_and_classes(row):
    assert row.tag in data.STANDARDIZATIONS
    assert len(data.CLASS_NAMES[row.tag]) == row.config.classes


@pytest.mark.large
@pytest.mark.parametrize("row", ROWS)
def test_the_stated_error_on_the_whole_test_set(row):
    pytest.importorskip("tensorflow_datasets")
    try:
        test = load_arrays(row.tag, "test", download=False)
    except FileNotFoundError as error:
        pytest.skip(f"{row.tag} is not prepared: {error}")
    wrong = np.mean(answers(row, test.images).argmax(axis=1) != test.labels)
    # Two images, for processors that round otherwise.
    assert abs(wrong - row.test_error) <= 2 / len(test)


def test_found_by_the_network_not_by_its_name():
    row = published.PUBLISHED[0]
    for same in (
        ResNetConfig(depth=20),
        ResNetConfig(units_per_stage=(3, 3, 3), dimension_change="padding"),
        ResNetConfig(
            depth=20,
            classes=7,
            kernel_initializer="he_normal_fan_out",
            batch_normalization="synchronized",
            stochastic_depth=0.3,
        ),
    ):
        assert published.find("cifar10", same) is row


@pytest.mark.parametrize(
    "options, says",
    [
        ({"activation_order": "original"}, "activation_order: 'original', pub"),
        ({"shortcut": "conv"}, "shortcut: 'conv', published 'identity'"),
        ({"shortcut": "constant_scaling"}, "shortcut_scale: 0.5, published No"),
        ({"dimension_change": "projection"}, "published 'padding'"),
        ({"unit": "single"}, "unit: 'single'"),
    ],
)
def test_what_changes_the_function_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        PreActResNet20(weights="cifar10", **options)


def test_a_network_without_published_weights_hears_which_there_are():
    says = r"for PreActResNet20\(\).* units_per_stage: \(18, 18, 18\)"
    with pytest.raises(ValueError, match=says):
        PreActResNet110(weights="cifar10")
    with pytest.raises(ValueError, match="only for ResNet50V2.*in stem"):
        PreActResNet20(weights="imagenet")
    with pytest.raises(ValueError, match="'paper', published 'keras_applica"):
        ResNet50V2(weights="imagenet")
    says = "received 'nothing'. Published for this network: "
    with pytest.raises(ValueError, match=f"{says}'cifar10'"):
        PreActResNet20(weights="nothing")
    with pytest.raises(ValueError, match=f"{says}none"):
        PreActResNet110(weights="nothing", activation_order="original")


def test_what_training_alone_does_is_no_difference():
    row = published.PUBLISHED[0]
    dropout = dataclasses.replace(row.config, shortcut="dropout")
    assert published.find("cifar10", dropout) is row
    load_backbone(ResNetV2(dropout), "cifar10")


def test_of_several_the_one_that_was_trained_so(monkeypatch):
    rows = tuple(
        dataclasses.replace(
            published.PUBLISHED[0],
            options={"shortcut": "exclusive_gating", "gate_bias": bias},
        )
        for bias in (0.0, -6.0)
    )
    monkeypatch.setattr(published, "PUBLISHED", rows)
    for row in rows:
        assert published.find("cifar10", row.config) is row


def test_looking_for_weights_draws_nothing():
    def head():
        return keras.layers.Dense(2).kernel_initializer((3, 2))

    keras.utils.set_random_seed(0)
    expected = head()
    model = PreActResNet20(classes=3)
    keras.utils.set_random_seed(0)
    load_backbone(model, "cifar10")
    np.testing.assert_array_equal(head(), expected)


def test_scales_written_out_are_the_defaults(monkeypatch):
    row = dataclasses.replace(
        published.PUBLISHED[0], options={"shortcut": "constant_scaling"}
    )
    monkeypatch.setattr(published, "PUBLISHED", (row,))
    config = dataclasses.replace(row.config, shortcut_scale=0.5)
    assert published.find("cifar10", config) is row
    config = dataclasses.replace(row.config, shortcut_scale=1.0)
    with pytest.raises(ValueError, match="shortcut_scale: 1.0, published 0.5"):
        published.find("cifar10", config)


def test_another_head_another_input(agree):
    with pytest.warns(UserWarning, match="10 classes and this network 5"):
        new_head = PreActResNet20(weights="cifar10", classes=5)
    assert new_head.origin.class_names is None
    with pytest.raises(ValueError, match=r"channels \(input_shape"):
        PreActResNet20(weights="cifar10", input_shape=(32, 32, 1))
    whole = PreActResNet20(weights="cifar10")
    for own, published_one in zip(new_head.weights[:-2], whole.weights):
        np.testing.assert_array_equal(own, published_one)
    body = PreActResNet20(
        weights="cifar10",
        include_top=False,
        pooling="avg",
        classes=5,
        input_tensor=whole.input,
    )
    test = load_arrays("cifar10_sample", "test").take(8)
    images = preprocess_input(test.images, "cifar10")
    kernel, bias = whole.layers[-1].get_weights()
    logits = body.predict(images, verbose=0) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    got = whole.predict(images, verbose=0)
    agree("published backbone", got, expected, 1e-5)
    larger = PreActResNet20(weights="cifar10", input_shape=(40, 48, 3))
    np.testing.assert_array_equal(
        larger.get_weights()[0], whole.get_weights()[0]
    )


def test_without_classes_a_named_network_has_those_of_its_weights(tmp_path):
    own = PreActResNet20(classes=7, input_shape=(16, 16, 3))
    own.save_weights(tmp_path / "own.weights.h5")
    body = PreActResNet20(classes=7, include_top=False)
    for weights, classes in (
        (own, 7),
        (tmp_path / "own.weights.h5", 7),
        (body, 10),
        (None, 10),
    ):
        built = PreActResNet20(weights=weights, include_top=weights != body)
        assert config_of(built).classes == classes
    model = ResNetV2("PreActResNet20", weights=own)
    for mine, theirs in zip(model.weights, own.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.warns(UserWarning, match="7 classes and this network 10"):
        ResNetV2(ResNetConfig(depth=20), weights=own)


def test_a_backbone_of_published_weights():
    whole = PreActResNet20(weights="cifar10")
    model = PreActResNet20(classes=3, stochastic_depth=0.2)
    head = model.layers[-1].get_weights()
    load_backbone(model, "cifar10")
    for layer in whole.layers[:-1]:
        mine = model.get_layer(layer.name).get_weights()
        for own, theirs in zip(mine, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(own, theirs)
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], head[0])


def test_a_backbone_that_only_computes_otherwise_is_refused(monkeypatch):
    scaling = {"shortcut": "constant_scaling"}
    row = dataclasses.replace(published.PUBLISHED[0], options=scaling)
    monkeypatch.setattr(published, "PUBLISHED", (row,))
    # Its layers, with and without weights, have the published ones' names.
    config = dataclasses.replace(row.config, shortcut_scale=0.7)
    with pytest.raises(ValueError, match=r"only for PreActResNet20\(shortcut="):
        load_backbone(ResNetV2(config), "cifar10")
    load_backbone(ResNetV2(row.config), "cifar10")


@pytest.fixture
def to_download(monkeypatch, tmp_path):
    """A row whose file is in a folder of the test's, and an empty cache."""
    network = MODELS["PreActResNet20"]
    config = dataclasses.replace(network, depth=8)
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "tiny.weights.h5"
    ResNetV2(config).save_weights(file)
    content = file.read_bytes()
    row = dataclasses.replace(
        published.PUBLISHED[0],
        options={"depth": 8},
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bundled=False,
    )
    monkeypatch.setattr(published, "PUBLISHED", (*published.PUBLISHED, row))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(downloads.ADDRESS, raising=False)
    return row, file


@pytest.fixture
def served(to_download):
    """The address of a server of that folder."""
    with serving(to_download[1].parent) as address:
        yield address


@contextlib.contextmanager
def serving(folder):
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_larger_weights_are_downloaded_once(to_download, served, monkeypatch):
    row, file = to_download
    monkeypatch.setenv(downloads.ADDRESS, served)
    assert ResNetV2(row.config, weights="cifar10").name == "resnetv2"
    file.unlink()
    monkeypatch.setenv(downloads.ADDRESS, "not looked at")
    path = pathlib.Path(downloads.path_of(row))  # the cache needs neither
    assert path.name == row.file and path.parent.name == "keras_resnetv2"
    path.write_bytes(b"cut off")
    monkeypatch.delenv(downloads.ADDRESS)
    with pytest.raises(OSError, match=row.sha256):
        downloads.path_of(row)


def test_a_folder_of_a_disk(to_download, monkeypatch):
    row, file = to_download
    monkeypatch.setenv(downloads.ADDRESS, file.parent.as_uri())
    path = downloads.path_of(row)
    assert pathlib.Path(path).read_bytes() == file.read_bytes()


def test_where_a_file_is_not_to_be_had(to_download, served, monkeypatch):
    row, file = to_download
    says = "KERAS_RESNETV2_WEIGHTS is not set. Set it.*" + row.sha256
    with pytest.raises(OSError, match=says):
        ResNetV2(row.config, weights="cifar10")
    monkeypatch.setenv(downloads.ADDRESS, "/some/folder")
    with pytest.raises(ValueError, match="https:, http:, file:.*'/some/folder"):
        downloads.path_of(row)
    monkeypatch.setenv(downloads.ADDRESS, served)
    file.write_bytes(b"another one")
    with pytest.raises(OSError, match="hash does not match"):
        downloads.path_of(row)
    file.unlink()
    with pytest.raises(OSError, match="404"):
        downloads.path_of(row)


def test_a_damaged_installation_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "_BUNDLED", tmp_path)
    with pytest.raises(OSError, match="found no file. Install"):
        PreActResNet20(weights="cifar10")
    row = published.PUBLISHED[0]
    (tmp_path / row.file).write_bytes(b"cut off")
    with pytest.raises(OSError, match=rf"expected SHA-256 {row.sha256}"):
        PreActResNet20(weights="cifar10")


@pytest.fixture
def of_keras(monkeypatch, tmp_path):
    """A small network's file, as keras.applications publishes them."""
    options = {"units_per_stage": (1, 1, 1, 2), "widths": (4, 4, 4, 4)}
    row = published_elsewhere.File(
        "keras_applications", "ResNet50V2", "small.h5", 24.0, options=options
    )
    network = ResNetV2(row.config, input_shape=(32, 32, 3))
    path = tmp_path / "folder" / row.file
    path.parent.mkdir()
    layers = {}
    for name, value in save_as._state(network, row.config).items():
        layer, weight = name.split("/")
        layers.setdefault(layer, {})[f"{layer}/{weight}:0"] = value
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [*layers, "avg_pool"]
        file.create_group("avg_pool").attrs["weight_names"] = []
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = list(weights)
            for name, value in weights.items():
                group[name] = value
    row = row._replace(md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setattr(published, "FILES", (row,))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return row, network, path


def test_files_of_keras_come_from_its_address(of_keras, monkeypatch):
    row, network, path = of_keras

    def load(address):
        project = published_elsewhere.Project(f"{address}{{file}}", "", "")
        projects = published_elsewhere.PROJECTS
        monkeypatch.setitem(projects, "keras_applications", project)
        return ResNetV2(row.config, weights="imagenet", input_shape=(32, 32, 3))

    with pytest.raises(OSError, match="small.h5 cannot be downloaded from"):
        load("http://127.0.0.1:9/")
    with serving(path.parent) as address:
        loaded = load(address)
    again = load("http://127.0.0.1:9/")  # from the cache
    for model in (loaded, again):
        for own, other in zip(model.weights, network.weights, strict=True):
            np.testing.assert_array_equal(own, other)
        assert model.origin.weights == "imagenet"
        assert model.origin.standardization == STANDARDIZATIONS["inception"]
        assert model.origin.class_names == data.CLASS_NAMES["imagenet"]
    wrong = row._replace(md5="0" * 32)
    monkeypatch.setattr(published, "FILES", (wrong,))
    with serving(path.parent) as address:
        with pytest.raises(OSError, match="cannot be downloaded"):
            load(address)


def test_files_to_get_by_hand_are_named():
    says = "Get https://huggingface.co/timm/resnetv2_50.a1h_in1k/.*safetensors"
    with pytest.raises(ValueError, match=says):
        ResNet50V2(reference="timm", weights="imagenet")
    with pytest.raises(ValueError, match="preresnet20_svhn-0322.*weights="):
        PreActResNet20(reference="pytorchcv", weights="svhn")


@pytest.mark.parametrize("row", published_elsewhere.FILES)
def test_the_table_of_other_projects_is_sound(row):
    assert row.config.reference == row.reference
    assert row.tag in data.CLASS_NAMES
    assert len(data.CLASS_NAMES[row.tag]) == row.config.classes
    assert published.differences(row.config, row.config) == []
