"""Files for other runtimes, as these read them."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from processes import run_python

from keras_resnetv2 import ResNetConfig, ResNetV2, export_litert, export_onnx
from keras_resnetv2.export import conversion

onnxruntime = pytest.importorskip("onnxruntime")
litert = pytest.importorskip("ai_edge_litert.interpreter")

EXPORTS = {".onnx": export_onnx, ".tflite": export_litert}
CLASSES = ("a cat", "Ænte", '"dog"')


def read_onnx(path):
    network = onnxruntime.InferenceSession(path)
    names = network.get_modelmeta().custom_metadata_map["class_names"]
    [images], [answer] = network.get_inputs(), network.get_outputs()
    assert images.shape == ["N", 32, 32, 3] and answer.shape == ["N", 3]
    return json.loads(names), lambda images: network.run(
        ["probabilities"], {"images": images}
    )


def read_litert(path):
    names = zipfile.ZipFile(path).read("labels.txt").decode()
    ask = litert.Interpreter(str(path)).get_signature_runner("serving_default")
    return names.splitlines(), lambda images: [
        ask(images=images)["probabilities"]
    ]


READERS = {".onnx": read_onnx, ".tflite": read_litert}


def sharp(seed=0):
    """Logits, unequal ones, behind a layer that flips in training only."""
    keras.utils.set_random_seed(seed)
    config = ResNetConfig(units_per_stage=(1,), widths=(4,), classes=3)
    model = ResNetV2(config, classifier_activation=None)
    kernel = model.get_layer("predictions").kernel
    kernel.assign(np.random.default_rng(seed).normal(size=kernel.shape))
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, model(keras.layers.RandomFlip()(inputs)))


@pytest.fixture(scope="module")
def model():
    return sharp()


@pytest.fixture(scope="module")
def files(model, standardization, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files") / "new"
    return {
        suffix: export(
            model,
            folder / f"network{suffix}",
            standardization=standardization,
            class_names=CLASSES,
        )
        for suffix, export in EXPORTS.items()
    }


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("suffix", EXPORTS)
def test_its_runtime_answers_as_the_network(
    suffix, count, files, model, standardization, pictures, agree
):
    images = pictures.images[:count].astype("float32")
    names, answer = READERS[suffix](files[suffix])
    assert tuple(names) == CLASSES
    [found] = answer(images)
    logits = model(standardization(images), training=False)
    expected = np.array(keras.ops.softmax(logits))
    assert np.ptp(expected) > 0.1
    agree(f"a {suffix} file against Keras", found, expected, 1e-5)


def test_nothing_else_is_written(files):
    [folder] = {path.parent for path in files.values()}
    assert set(folder.iterdir()) == set(files.values())


@pytest.fixture
def refused(files, standardization, tmp_path, monkeypatch):
    """Exports over a file, which must remain; converts as `convert` does."""

    def refused(suffix, model, says, convert):
        def converts(model, part, format):
            convert(files[suffix], part)

        monkeypatch.setattr(conversion, "_convert", converts)
        path = tmp_path / f"network{suffix}"
        path.write_text("before")
        with pytest.raises(ValueError, match=says):
            EXPORTS[suffix](
                model,
                path,
                standardization=standardization,
                class_names=CLASSES,
            )
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    return refused


def test_a_file_of_other_weights_is_refused(refused):
    says = "The file differs .* Nothing was exported"
    refused(".onnx", sharp(seed=1), says, shutil.copy)


def test_a_file_of_other_classes_is_refused(refused, model, monkeypatch):
    monkeypatch.setitem(
        conversion._NAME_CLASSES,
        "onnx",
        lambda path, names: conversion._name_in_onnx(path, names[::-1]),
    )
    refused(".onnx", model, "not contain the given classes", shutil.copy)


def test_a_file_that_cannot_be_read_is_refused(refused, model):
    def cut(file, part):
        part.write_bytes(file.read_bytes()[:1000])

    refused(".tflite", model, "does not work in a new process", cut)


def test_what_keras_cannot_convert_is_said(
    model, standardization, tmp_path, monkeypatch
):
    def export(*args, **kwargs):
        raise RuntimeError("No such operation.\nMore.")

    monkeypatch.setattr(keras.Model, "export", export)
    says = "to onnx: RuntimeError: No such operation. Nothing was exported"
    with pytest.raises(ValueError, match=says):
        export_onnx(model, tmp_path / "x.onnx", standardization=standardization)
    assert not list(tmp_path.iterdir())


def test_a_normalization_is_inside(tmp_path):
    """Its tensors are no inputs of the graph, and are not changed."""
    inputs = keras.Input((8, 8, 3))
    layer = keras.layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6])
    outputs = keras.layers.Flatten()(layer(inputs))
    model = keras.Model(inputs, {"probabilities": outputs})
    before = layer.mean
    path = tmp_path / "x.onnx"
    conversion._convert(model, path, "onnx")
    [images] = onnxruntime.InferenceSession(path).get_inputs()
    assert images.name == "images" and layer.mean is before


def test_bad_arguments_are_refused_first(model, tmp_path):
    with pytest.raises(ValueError, match="ends in .onnx; received .*x.tflite"):
        export_onnx(model, tmp_path / "x.tflite", standardization="cifar10")
    (tmp_path / "x.tflite").mkdir()
    with pytest.raises(ValueError, match="is a directory. Give a file"):
        export_litert(model, tmp_path / "x.tflite", standardization="cifar10")
    with pytest.raises(ValueError, match="3 classes; received 2"):
        export_onnx(
            model,
            tmp_path / "x.onnx",
            standardization="cifar10",
            class_names=("a", "b"),
        )


ON_JAX = """
import sys
import numpy as np
from keras_resnetv2 import PreActResNet20, export_litert, export_onnx
model = PreActResNet20(weights="cifar10", include_preprocessing=True)
pixels = np.load(sys.argv[1])
print(export_onnx(model, sys.argv[2] + "/on_jax.onnx"))
print(export_litert(model, sys.argv[2] + "/on_jax.tflite"))
np.save(sys.argv[3], model(pixels))
"""


@pytest.mark.multiprocess
def test_a_network_on_jax(pictures, tmp_path):
    images = pictures.images.astype("float32")
    np.save(tmp_path / "images.npy", images)
    printed = run_python(
        ON_JAX,
        *(tmp_path / "images.npy", tmp_path, tmp_path / "out.npy"),
        backend="jax",
    )
    assert len(printed.splitlines()) == 2
    served = onnxruntime.InferenceSession(tmp_path / "on_jax.onnx")
    [found] = served.run(["probabilities"], {"images": images})
    np.testing.assert_allclose(found, np.load(tmp_path / "out.npy"), atol=1e-5)
    names, answer = read_litert(tmp_path / "on_jax.tflite")
    assert names == list(pictures.class_names)
    np.testing.assert_allclose(answer(images)[0], found, atol=1e-5)
