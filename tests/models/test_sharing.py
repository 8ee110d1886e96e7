"""Folders for sharing: what comes back, what is refused, what the card says."""

import dataclasses
import hashlib
import importlib.machinery
import json
import os
import pathlib
import pickle
import sys
import tempfile
import types

import h5py
import keras
import numpy as np
import pytest
import yaml

import keras_resnetv2
from keras_resnetv2 import (
    ModelCard,
    ResNet,
    ResNetConfig,
    ResNetV2,
    from_pretrained,
    save_pretrained,
)
from keras_resnetv2._origin import Origin
from keras_resnetv2.data import STANDARDIZATIONS, Standardization
from keras_resnetv2.models import published, sharing, weights
from keras_resnetv2.models.network import set_origin

SMALL = ResNetConfig(units_per_stage=(1,), widths=(2,), classes=3)
PER_PIXEL = Standardization(
    np.random.default_rng(1).uniform(90, 99, (8, 8, 3)), np.full((8, 8, 3), 2.3)
)
ODD_NAMES = ("Käse: 'a' | b", "- [ ]\n---", "猫 😀 \udcff")
KNOWN = Origin("my_pictures", STANDARDIZATIONS["imagenet"], ODD_NAMES, 9)
FILES = {"model.weights.h5", "config.json", "README.md"}


def small(config=SMALL, origin=None, **options):
    """A network whose statistics are not those of the initialization, too."""
    model = ResNetV2(config, **{"input_shape": (8, 8, 3), **options})
    random = np.random.default_rng(0)
    model.set_weights(
        [
            random.normal(0, 0.2, w.shape)
            if w.ndim > 1
            else random.uniform(0.5, 1.5, w.shape)
            for w in model.get_weights()
        ]
    )
    if origin:
        set_origin(model, origin)
    return model


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return small(origin=KNOWN)


@pytest.fixture(scope="module")
def shared(network, tmp_path_factory):
    """A shared network; to be copied, not changed."""
    return save_pretrained(network, tmp_path_factory.mktemp("shared") / "net")


@pytest.fixture
def folder(shared, tmp_path):
    """A copy of it."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in shared.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def change(folder, **values):
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | values))


def put_weights(folder, content):
    (folder / "model.weights.h5").write_bytes(content)
    change(folder, sha256=hashlib.sha256(content).hexdigest())


def files(folder):
    return {path.name for path in folder.iterdir()}


def answers(model):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3))
    return keras.tree.map_structure(
        lambda out: np.asarray(keras.ops.convert_to_numpy(out), np.float64),
        model(pixels.astype("float32"), training=False),
    )


CASES = {
    "probabilities": {"origin": KNOWN},
    "logits": {"classifier_activation": None, "name": "Mine_1"},
    "other classes": {"classes": 7, "classifier_activation": "sigmoid"},
    "no top": {"include_top": False, "origin": Origin("fake")},
    "a vector": {"include_top": False, "pooling": "max"},
    "features": {"features": True, "include_preprocessing": "imagenet"},
    "pixels": {"include_preprocessing": "cifar10"},
    "a mean per pixel": {"include_preprocessing": PER_PIXEL},
    "any size": {"input_shape": (None, None, 3)},
    "gates": {
        "config": ResNetConfig(
            units_per_stage=(1,),
            widths=(2,),
            unit="bottleneck",
            shortcut="exclusive_gating",
            gate_bias=-1.5,
            activation_order="original",
            stochastic_depth=0.5,
        )
    },
}


@pytest.mark.parametrize("case", CASES)
def test_it_answers_the_same_to_the_bit(case, tmp_path):
    model = small(**CASES[case])
    again = from_pretrained(save_pretrained(model, tmp_path / "net"))
    found = answers(again)
    keras.tree.map_structure(
        np.testing.assert_array_equal, found, answers(model)
    )
    first, second = keras.tree.flatten(found)[0]
    assert (first != second).any()  # they depend on the images
    assert (again.name, again.config) == (model.name, model.config)
    assert again.origin == model.origin
    assert again.input_shape == model.input_shape


def test_the_precision_is_a_part_of_it(tmp_path):
    with keras_resnetv2.training.precision("mixed_bfloat16"):
        model = small(classifier_activation=None)
    path = save_pretrained(model, tmp_path / "net")
    found = answers(from_pretrained(path))
    np.testing.assert_array_equal(found, answers(model))
    as_float32 = answers(from_pretrained(path, dtype="float32"))
    assert np.abs(found - as_float32).max() > 1e-3
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="dtype: received 'int8'"):
        from_pretrained(path, dtype="int8")


def test_it_survives_what_a_network_goes_through(tmp_path):
    """A frozen, compiled, saved, loaded, cloned network on a user's input."""
    pixels = keras.Input(batch_shape=(2, 8, 8, 3), name="mine", dtype="uint8")
    model = small(
        input_shape=None, input_tensor=pixels, include_preprocessing=PER_PIXEL
    )
    model.trainable = False
    model.compile("sgd", "mse")
    model.save(tmp_path / "net.keras")
    model = keras.models.load_model(tmp_path / "net.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    again = from_pretrained(save_pretrained(clone, tmp_path / "net"))
    np.testing.assert_array_equal(answers(again), answers(model))


def with_another_top(model):
    return ResNet(model.input, keras.layers.Dense(2)(model.output))


def with_another_epsilon(model):
    model.get_layer("stem_bn").epsilon = 0.1
    return model


def with_own_activation(model):
    model.get_layer("predictions").activation = lambda x: x
    return model


def with_a_layer_before(model):
    pixels = keras.Input((8, 8, 3))
    before = keras.layers.Rescaling(2.0, name="twice")(pixels)
    return ResNetV2(SMALL, input_tensor=before)


def within_another(model):
    return keras.Sequential([keras.Input((8, 8, 3)), model])


@pytest.mark.parametrize(
    "change, says",
    [
        (with_another_top, "has 'dense.*model.save"),
        (with_another_epsilon, "'stem_bn' is another one.*model.save"),
        (with_own_activation, "classifier_activation.*lambda.*model.save"),
        (with_a_layer_before, "has 'twice'.*model.save"),
        (within_another, "give that layer"),
        (lambda model: "resnet", "'resnet'"),
    ],
)
def test_what_the_builder_does_not_make_is_refused(change, says, tmp_path):
    model = change(small())
    with pytest.raises(ValueError, match=f"(?s){says}"):
        save_pretrained(model, tmp_path / "net")
    assert not files(tmp_path)


def test_a_part_of_a_network_is_one_without_its_top(network, tmp_path):
    part = ResNet(network.input, network.get_layer("avg_pool").output)
    again = from_pretrained(save_pretrained(part, tmp_path / "net"))
    np.testing.assert_array_equal(answers(again), answers(part))


def test_a_place_for_it(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("target")
    for place in ("a/b/", pathlib.Path("~/c"), "link", "dangling"):
        path = save_pretrained(network, place)
        assert files(path) == FILES
    np.testing.assert_array_equal(
        answers(from_pretrained("a/b/")), answers(network)
    )
    assert files(tmp_path / "real") == files(tmp_path / "target") == FILES
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save_pretrained(network, ".")
    assert files(tmp_path / "here") == FILES
    others = os.umask(0)
    os.umask(others)
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o777 & ~others


def test_a_shared_network_is_replaced_only_if_asked(folder):
    (folder / ".git").mkdir()
    (folder / "sheet.png").write_bytes(b"kept")
    before = (folder / "config.json").read_bytes()
    other = small(classes=5)
    with pytest.raises(ValueError, match="already holds.*overwrite=True"):
        save_pretrained(other, folder)
    assert (folder / "config.json").read_bytes() == before
    save_pretrained(other, folder, overwrite=True)
    assert from_pretrained(folder).output_shape == (None, 5)
    assert files(folder) == FILES | {".git", "sheet.png"}


@pytest.mark.parametrize(
    "name, content",
    [("notes.txt", "mine"), ("config.json", '{"a": 1}'), ("README.md", "# I")],
)
def test_what_is_not_ours_is_not_written_over(network, name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"neither empty nor.*{name}.*Give"):
        save_pretrained(network, tmp_path, overwrite=True)
    with pytest.raises(ValueError, match="is a file"):
        save_pretrained(network, tmp_path / name)
    assert files(tmp_path) == {name}
    assert (tmp_path / name).read_text() == content


def test_there_is_never_a_half_folder(network, folder, monkeypatch, tmp_path):
    def fail(*args):
        raise OSError("no space left")

    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(sharing, "card_text", fail)
    for place in (folder, tmp_path / "new"):
        with pytest.raises(OSError, match="no space left"):
            save_pretrained(network, place, overwrite=True)
    assert files(tmp_path) == {"copy"}
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_read_only_folder_is_refused_at_once(network, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)  # root may
    with pytest.raises(ValueError, match="cannot be written.*denied.*may"):
        save_pretrained(network, tmp_path / "net")


@pytest.mark.parametrize("file", ["config.json", "model.weights.h5"])
def test_a_part_is_missing(folder, file):
    (folder / file).unlink()
    with pytest.raises(ValueError, match=f"has no {file}.*save_pretrained"):
        from_pretrained(f"{folder}/")


def test_the_card_may_be_missing_and_files_be_links(folder, tmp_path):
    """As in the cache of the hub's client."""
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in FILES - {"README.md"}:
        (linked / name).symlink_to(folder / name)
    assert from_pretrained(linked).origin == KNOWN


def test_no_folder(network, folder):
    with pytest.raises(ValueError, match="'nowhere' does not exist"):
        from_pretrained("nowhere")
    with pytest.raises(ValueError, match="config.json' is a file"):
        from_pretrained(folder / "config.json")
    for value in (None, 7, network):
        with pytest.raises(ValueError, match="must be the path of a folder"):
            from_pretrained(value)


def test_damaged_weights_are_not_read(folder, monkeypatch):
    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(ValueError, match="expected SHA-256 .*received.*again"):
        from_pretrained(folder)


@pytest.mark.parametrize(
    "values, says",
    [
        ({"format": "other"}, 'expected a JSON object with "format"'),
        ({"format_version": 2}, "in format 2 .*Install a newer"),
        (
            {"keras_resnetv2": "9.1", "quantization": "int4"},
            "written by keras_resnetv2 9.1, .*quantization.*Install a newer",
        ),
        ({"network": {"depth": 8, "groups": 2}}, "groups.*Install a newer"),
        ({"origin": {"crop": 1}}, "crop.*Install a newer"),
        ({"network": {"depth": 9}}, "damaged.*6n.2.*Get the folder again"),
        ({"network": {"depth": [8]}}, "damaged"),
        ({"network": "x"}, "damaged.*network='x'"),
        ({"origin": {"weights": "a"}}, "damaged .KeyError: 'standardization'"),
        ({"origin": None}, "damaged.*origin=None"),
        ({"include_top": "no"}, "damaged.*include_top='no'"),
        ({"input_shape": [8, "a", 3]}, "received"),
        ({"dtype": "int8"}, "damaged.*'int8'"),
        ({"include_preprocessing": 1}, "damaged.*include_preprocessing=1"),
        ({"sha256": None}, "damaged.*sha256=None"),
    ],
)
def test_a_config_that_does_not_fit(folder, values, says, monkeypatch):
    change(folder, **values)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        from_pretrained(folder)


def test_other_content_in_the_config(folder):
    config = folder / "config.json"
    content = config.read_text()
    for other in (content[:50].encode(), b"[]", b"", b"\x00", b"\xff\xfe{"):
        config.write_bytes(other)
        with pytest.raises(ValueError, match="save_pretrained wrote"):
            from_pretrained(folder)
    values = json.loads(content)
    del values["pooling"]
    config.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="damaged .KeyError: 'pooling'"):
        from_pretrained(folder)


ran = []


def run():
    ran.append(True)


@keras.saving.register_keras_serializable("tests")
class Payload(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        run()


class Pickled:
    def __reduce__(self):
        return run, ()


@pytest.mark.parametrize(
    "name, value",
    [
        ("classifier_activation", "tests>Payload"),
        ("classifier_activation", "deserialize"),
        (
            "classifier_activation",
            {"class_name": "Payload", "registered_name": "tests>Payload"},
        ),
        ("pooling", "tests>Payload"),
        ("dtype", {"class_name": "DTypePolicy", "config": {"name": "float32"}}),
        ("network", {"class_name": "Payload", "config": {}}),
    ],
)
def test_a_config_runs_no_code(folder, name, value):
    ran.clear()
    change(folder, **{name: value})
    with pytest.raises(ValueError, match="damaged|Unknown pooling|newer"):
        from_pretrained(folder)
    assert not ran


def test_keras_deserializes_nothing(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a layer, a class or a function was looked up")

    monkeypatch.setattr(keras.layers, "deserialize", refuse)
    monkeypatch.setattr(keras.Model, "from_config", refuse)
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", refuse)
    monkeypatch.setattr(keras.models, "load_model", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    from_pretrained(folder)


def test_weights_run_no_code_and_read_no_other_file(folder, tmp_path):
    ran.clear()
    put_weights(folder, pickle.dumps(Pickled()))
    with pytest.raises(ValueError, match="it is no HDF5 file"):
        from_pretrained(folder)
    assert not ran
    other = tmp_path / "other.weights.h5"
    third = tmp_path / "third.weights.h5"
    small().save_weights(other)
    small().save_weights(third)
    with h5py.File(other, "r+") as file:
        variables = file["layers/dense/vars"]
        del variables["0"]
        variables["0"] = h5py.ExternalLink(str(third), "/layers/dense/vars/0")
    put_weights(folder, other.read_bytes())
    with pytest.raises(ValueError, match="its 0 is in another file"):
        from_pretrained(folder)
    linked = tmp_path / "linked.h5"
    with h5py.File(linked, "w") as file:
        file["layers"] = h5py.ExternalLink(str(other), "/layers")
    put_weights(folder, linked.read_bytes())
    with pytest.raises(ValueError, match="no weights"):
        from_pretrained(folder)


def test_weights_of_another_network(folder, tmp_path):
    path = tmp_path / "other.weights.h5"
    small(classes=9).save_weights(path)
    put_weights(folder, path.read_bytes())
    with pytest.raises(ValueError, match=r"\(2, 3\), predictions.*\(2, 9\)"):
        from_pretrained(folder)


def test_the_card_is_yaml_and_markdown(network, tmp_path):
    card = ModelCard(
        license="cc-by-4.0: 'no' # \"x\"",
        data="a | b\n# c",
        datasets=("me/Käse: 😀", "- y"),
        recipe="*mine*",
        test_error=0.0,
        command="train --a='`b`' \\\n  --c",
        text="## What it is for\n\nCheese.",
    )
    path = save_pretrained(network, tmp_path / "net", card)
    text = (path / "README.md").read_text("utf-8")
    empty, front, body = text.split("---\n", 2)
    assert empty == ""
    assert yaml.safe_load(front) == {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["keras_resnetv2", "resnet-v2"],
        "license": card.license,
        "datasets": list(card.datasets),
        "metrics": ["accuracy"],
    }
    assert body.startswith(
        "\n# resnetv2\n\n## What it is for\n\nCheese.\n\nA ResNet-v2 network"
    )
    for line in (
        "| Network | none of the paper's |",
        "| Input | 8 x 8 x 3, standardized pixels |",
        "| Output | 3 probabilities |",
        "| Classes | Käse: 'a' \\| b, - \\[ \\] ---, 猫 😀 |",
        "| Source of the weights | my_pictures |",
        "| Data | a \\| b # c |",
        "| Recipe | \\*mine\\* |",
        "| Test error | 0.00 % |",
        "    train --a='`b`' \\\n      --c",
    ):
        assert f"\n{line}\n" in body
    assert from_pretrained(path).origin.class_names == ODD_NAMES


def test_the_card_says_what_is_not_known(tmp_path):
    path = save_pretrained(
        small(include_top=False, input_shape=(None, None, 3)), tmp_path / "net"
    )
    text = (path / "README.md").read_text()
    assert text.count("not known") == 8
    for name in ("license:", "datasets", "metrics", "classify("):
        assert name not in text
    assert "image-feature-extraction" in text
    assert "| Input | any x any x 3, standardized pixels |" in text
    digest = hashlib.sha256((path / "model.weights.h5").read_bytes())
    assert f"`{digest.hexdigest()}`" in text


def test_many_classes_are_not_all_named(tmp_path):
    names = tuple(f"class {i}" for i in range(1000))
    model = small(classes=1000, origin=Origin(class_names=names))
    path = save_pretrained(model, tmp_path / "net")
    assert "class 19 and 980 more |" in (path / "README.md").read_text()
    assert from_pretrained(path).origin.class_names == names


@pytest.fixture
def row(tmp_path, monkeypatch):
    """Published weights of a small network."""
    options = {"depth": None, "units_per_stage": (1,), "widths": (2,)}
    row = dataclasses.replace(published.PUBLISHED[0], options=options)
    path = tmp_path / "published.weights.h5"
    ResNetV2(row.config).save_weights(path)
    monkeypatch.setattr(published, "PUBLISHED", [row])
    monkeypatch.setattr(weights, "path_of", lambda row: str(path))
    return row


def test_published_weights_are_known(row, tmp_path):
    model = ResNetV2(row.config, weights="cifar10", include_preprocessing=True)
    path = save_pretrained(model, tmp_path / "net", ModelCard(data="mine"))
    text = (path / "README.md").read_text()
    for known in (
        "| Input | 32 x 32 x 3, pixels, 0 to 255 |",
        "| Data | mine |",
        "| Recipe | 64,000 steps, seed 0; see the command |",
        "| Test error | 8.01 % |",
        f"    {row.command}",
        '- "uoft-cs/cifar10"',
    ):
        assert f"\n{known}\n" in text


def test_published_weights_that_changed_are_not(row, tmp_path):
    model = ResNetV2(row.config, weights="cifar10")
    values = model.get_weights()
    values[0][0] += 1e-3
    model.set_weights(values)
    path = save_pretrained(model, tmp_path / "net")
    text = (path / "README.md").read_text()
    assert "| Test error | not known |" in text
    assert "keras-resnetv2-train" not in text


def test_the_published_error_is_that_of_the_published_size(row, tmp_path):
    model = ResNetV2(row.config, weights="cifar10", input_shape=(40, 40, 3))
    path = save_pretrained(model, tmp_path / "net")
    text = (path / "README.md").read_text()
    assert "| Test error | not known |" in text
    assert row.command in text


@pytest.mark.parametrize(
    "values, says",
    [
        ({"test_error": 8.01}, "a fraction from 0 to 1.*received 8.01"),
        ({"datasets": "cifar10"}, "a tuple of names.*received 'cifar10'"),
        ({"license": 2}, "license must be text.*received 2"),
    ],
)
def test_a_card_that_does_not_fit(values, says):
    with pytest.raises(ValueError, match=says):
        ModelCard(**values)


def test_a_card_is_no_text(network, tmp_path):
    with pytest.raises(ValueError, match="card must be a ModelCard.*'text'"):
        save_pretrained(network, tmp_path / "net", "text")


def test_another_image_size(shared, network):
    """Pictures are scaled in proportion before the crop."""
    larger = from_pretrained(shared, image_size=16)
    assert larger.input_shape == (None, 16, 16, 3)
    assert larger.origin == dataclasses.replace(KNOWN, resize=18)
    for own, theirs in zip(larger.get_weights(), network.get_weights()):
        np.testing.assert_array_equal(own, theirs)
    for size in ("16", 0, True):
        with pytest.raises(ValueError, match=f"image_size must.* {size!r}"):
            from_pretrained(shared, image_size=size)


def test_a_mean_per_pixel_is_of_one_size(tmp_path):
    path = save_pretrained(
        small(origin=Origin(None, PER_PIXEL)), tmp_path / "n"
    )
    with pytest.raises(ValueError, match=r"\(16, 16, 3\) do not fit a mean of"):
        from_pretrained(path, image_size=16)


@pytest.fixture
def hub(monkeypatch, shared):
    """A stand-in for the hub's client; no hub is reached."""

    def snapshot_download(repo_id, *, revision, allow_patterns):
        hub.asked.append((repo_id, revision, set(allow_patterns)))
        if repo_id != "me/net-1.0":
            raise RuntimeError("404\nClient Error")
        return str(shared)

    hub = types.ModuleType("huggingface_hub")
    hub.__spec__ = importlib.machinery.ModuleSpec(hub.__name__, None)
    hub.snapshot_download = snapshot_download
    hub.asked = []
    monkeypatch.setitem(sys.modules, hub.__name__, hub)
    return hub


@pytest.mark.parametrize("revision", [None, "v1.0", "refs/pr/1"])
def test_the_hub(hub, revision):
    at = f"@{revision}" if revision else ""
    assert from_pretrained(f"hf://me/net-1.0{at}").origin == KNOWN
    assert hub.asked == [("me/net-1.0", revision, FILES)]


def test_the_hub_does_not_have_it(hub, network, tmp_path):
    with pytest.raises(
        OSError, match="hf://me/other could not.*404 Client Error.*log in"
    ):
        from_pretrained("hf://me/other")
    asked = len(hub.asked)
    for address in ("hf://me", "hf://me/net/part", "hf://me/net@", "hf:/me/n"):
        with pytest.raises(ValueError, match='text like "hf://user/name"'):
            from_pretrained(address)
    with pytest.raises(ValueError, match="hf upload"):
        save_pretrained(network, "hf://me/net")
    assert len(hub.asked) == asked
