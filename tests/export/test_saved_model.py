import math
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_resnetv2 import ResNetConfig, ResNetV2, data, load_arrays
from keras_resnetv2.export import export_saved_model, saved_model


def small(**kwargs):
    return ResNetV2(ResNetConfig(depth=8), **kwargs)


@pytest.fixture
def test_images():
    return load_arrays("cifar10_sample", "test").take(6)


STANDARDIZATION = data.STANDARDIZATIONS["cifar10"]


@pytest.mark.parametrize("activation", ["softmax", None])
def test_pixels_in_probabilities_out(activation, test_images, tmp_path):
    model = small(classifier_activation=activation)
    logits = np.array(model(data.preprocess_input(test_images.images)))
    expected = logits if activation else np.array(tf.nn.softmax(logits))
    path = export_saved_model(
        model,
        tmp_path / "served",
        standardization=STANDARDIZATION,
        class_names=test_images.class_names,
    )
    assert path == tmp_path / "served" / "1"
    loaded = tf.saved_model.load(str(path))
    uint8 = tf.constant(test_images.images)
    floats = tf.cast(uint8, tf.float32)
    for name, images in {
        "serving_default": floats,
        "serving_uint8": uint8,
    }.items():
        answer = loaded.signatures[name](images=images)
        assert list(answer) == ["probabilities"]
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    for images in (uint8, floats, uint8[:1]):
        answer = loaded.serve(images)["probabilities"]
        np.testing.assert_allclose(answer, expected[: len(images)], atol=1e-5)
    labels = (path / "assets" / "labels.txt").read_text().split()
    assert labels == list(test_images.class_names)


def test_every_weight_is_stored_once(tmp_path):
    model = ResNetV2(ResNetConfig(depth=38, unit="bottleneck"))
    path = export_saved_model(model, tmp_path, standardization=STANDARDIZATION)
    stored = sum(file.stat().st_size for file in (path / "variables").iterdir())
    weights = sum(4 * math.prod(weight.shape) for weight in model.weights)
    assert weights < stored < 1.05 * weights


WITHOUT_KERAS = """
import sys
sys.modules["keras"] = None
sys.modules["keras_resnetv2"] = None
import numpy as np, tensorflow as tf
served = tf.saved_model.load(sys.argv[1])
images = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3) % 256
np.save(sys.argv[2], served.serve(images.astype("uint8"))["probabilities"])
"""


def test_loads_without_keras_and_without_this_package(tmp_path):
    model = small()
    path = export_saved_model(
        model, tmp_path / "served", standardization=STANDARDIZATION
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, path, tmp_path / "out.npy"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    images = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3) % 256
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"),
        np.array(model(data.preprocess_input(images.astype("uint8")))),
        atol=1e-5,
    )


def test_next_free_version_whole_or_not_at_all(tmp_path, monkeypatch):
    for existing in ("3", "10", "notes"):
        (tmp_path / existing).mkdir()
    model = small()
    path = export_saved_model(model, tmp_path, standardization=STANDARDIZATION)
    assert path.name == "11"

    def fail(module, path, **kwargs):
        os.makedirs(path, exist_ok=True)
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        export_saved_model(model, tmp_path, standardization=STANDARDIZATION)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "10",
        "11",
        "3",
        "notes",
    ]


def test_per_pixel_mean_and_other_sizes(test_images, tmp_path):
    model = small(input_shape=(16, 16, 3))
    images = test_images.images[:, :16, :16]
    standardization = data.Standardization.from_images(images, "per_pixel_mean")
    path = export_saved_model(model, tmp_path, standardization=standardization)
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_allclose(
        loaded.serve(tf.constant(images))["probabilities"],
        np.array(model(standardization(images))),
        atol=1e-5,
    )


def test_bad_input(tmp_path, monkeypatch):
    model = small()
    with pytest.raises(ValueError, match="one line of text"):
        export_saved_model(
            model,
            tmp_path,
            standardization="cifar10",
            class_names=["two\nlines"] * 10,
        )
    with pytest.raises(ValueError, match="do not fit a mean"):
        export_saved_model(
            model,
            tmp_path,
            standardization=data.Standardization(
                np.zeros((8, 8, 3)), np.ones((8, 8, 3))
            ),
        )
    with pytest.raises(ValueError, match="10 classes; received 2"):
        export_saved_model(
            model,
            tmp_path,
            standardization=STANDARDIZATION,
            class_names=("a", "b"),
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        export_saved_model(
            model, tmp_path / "file", standardization=STANDARDIZATION
        )
    with pytest.raises(ValueError, match="head_relu.*include_top"):
        export_saved_model(
            small(include_top=False),
            tmp_path,
            standardization=STANDARDIZATION,
        )
    monkeypatch.setattr(saved_model.keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        export_saved_model(model, tmp_path, standardization=STANDARDIZATION)
