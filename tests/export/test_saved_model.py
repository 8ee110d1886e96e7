import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

from keras_resnetv2 import (
    BatchNormalization,
    PreActResNet1001,
    ResNetConfig,
    ResNetV2,
    data,
)
from keras_resnetv2.export import export_saved_model, self_check

STANDARDIZATION = data.STANDARDIZATIONS["cifar10"]


def small(**kwargs):
    return ResNetV2(ResNetConfig(units_per_stage=(1,), widths=(8,)), **kwargs)


@pytest.fixture
def unchecked(monkeypatch):
    """Saves the seconds of the self-check."""
    monkeypatch.setattr(self_check, "check", lambda *args: None)


def serve(path, images):
    served = tf.saved_model.load(str(path)).signatures["serving_uint8"]
    return served(images=tf.constant(images))["probabilities"].numpy()


def test_logits_become_probabilities(pictures, tmp_path, unchecked):
    model = small(classifier_activation=None)
    path = export_saved_model(
        model, tmp_path / "served", standardization=STANDARDIZATION
    )
    logits = np.array(model(STANDARDIZATION(pictures.images)))
    np.testing.assert_allclose(
        serve(path, pictures.images), tf.nn.softmax(logits), atol=1e-5
    )


def test_a_network_within_two_others(pictures, tmp_path, unchecked):
    inputs = keras.Input((32, 32, 3))
    own = small(classifier_activation=None)
    model = keras.Model(inputs, keras.ops.softmax(own(inputs)))
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, model(inputs))
    path = export_saved_model(
        model, tmp_path / "served", standardization=STANDARDIZATION
    )
    served = tf.saved_model.load(str(path)).signatures
    images = tf.constant(pictures.images)
    standardized = STANDARDIZATION(pictures.images)
    np.testing.assert_allclose(
        served["serving_uint8"](images=images)["probabilities"],
        model(standardized),
        atol=1e-5,
    )
    features = keras.Model(own.input, own.get_layer("avg_pool").output)
    np.testing.assert_allclose(
        served["features_uint8"](images=images)["features"],
        features(standardized),
        atol=1e-4,
    )


def test_labels(version, pictures):
    assert {path.name for path in version.parent.iterdir()} == {
        "1",
        "batching.config",
        "models.config",
        "serve.sh",
    }
    labels = (version / "assets" / "labels.txt").read_text().split()
    assert labels == list(pictures.class_names)


@pytest.mark.parametrize(
    "precision, bytes_a_weight", [("float32", 4), ("bfloat16", 2)]
)
def test_every_weight_is_stored_once(
    precision, bytes_a_weight, tmp_path, unchecked
):
    # Few and wide ones: of their names and shapes there is little to store.
    config = ResNetConfig(depth=11, unit="bottleneck", widths=(32, 64, 128))
    model = ResNetV2(config)
    path = export_saved_model(
        model, tmp_path, standardization=STANDARDIZATION, precision=precision
    )
    stored = sum(file.stat().st_size for file in (path / "variables").iterdir())
    weights = sum(
        math.prod(weight.shape)
        * (bytes_a_weight if len(weight.shape) == 4 else 4)
        for weight in model.weights
    )
    assert weights < stored < 1.05 * weights


def test_per_pixel_mean_and_other_sizes(pictures, tmp_path, unchecked):
    model = small(input_shape=(16, 16, 3))
    images = pictures.images[:, :16, :16]
    standardization = data.Standardization.from_images(images, "per_pixel_mean")
    path = export_saved_model(model, tmp_path, standardization=standardization)
    np.testing.assert_allclose(
        serve(path, images), np.array(model(standardization(images))), atol=1e-5
    )


@pytest.mark.parametrize("shape", [(16, 24, 3), (None, None, 3), (16, 16, 4)])
def test_shapes_that_no_file_has_take_pixels_only(shape, tmp_path, unchecked):
    standardization = data.Standardization(
        np.zeros(shape[-1:]), np.ones(shape[-1:])
    )
    path = export_saved_model(
        small(input_shape=shape), tmp_path, standardization=standardization
    )
    served = tf.saved_model.load(str(path)).signatures
    assert list(served) == [
        "serving_default",
        "serving_uint8",
        "features_uint8",
    ]


def test_bad_input(tmp_path):
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
    for argument, message in {
        "precision": ("half", "'float32', 'bfloat16'"),
        "top_k": (True, "whole number of at least 1; received True"),
        "resize": (31, "resize must be a whole number of at least 32"),
        "pixel_limit": (1e6, "pixel_limit must be a whole.*received 1000000.0"),
        "class_names": ("abcdefghij", "a sequence of one name"),
    }.items():
        with pytest.raises(ValueError, match=message[1]):
            export_saved_model(
                model,
                tmp_path,
                standardization="cifar10",
                **{argument: message[0]},
            )


def two_inputs():
    model = small()
    other = keras.Input((2,))
    features = model.get_layer("avg_pool").output
    both = keras.layers.Concatenate()([features, other])
    return keras.Model([model.input, other], keras.layers.Dense(10)(both))


def quantized():
    model = small()
    model.get_layer("predictions").quantize("int8")
    return model


def quantized_within():
    model = quantized()
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, model(inputs))


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: "resnet", "functional keras.Model .* a str"),
        (
            lambda: keras.Sequential([keras.layers.Dense(10, "softmax")]),
            "functional keras.Model .* a Sequential",
        ),
        (two_inputs, "one input .* with 2 and 1"),
        (quantized, "quantized .'predictions' to int8"),
        (quantized_within, "quantized .'predictions' to int8"),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_it_cannot_export_is_refused(build, says, precision, tmp_path):
    with pytest.raises(ValueError, match=says):
        export_saved_model(
            build(),
            tmp_path / "x",
            standardization=STANDARDIZATION,
            precision=precision,
        )
    assert not (tmp_path / "x").exists()


ON_JAX = """
import sys
import numpy as np
from keras_resnetv2 import ResNetConfig, ResNetV2, data, export_saved_model
config = ResNetConfig(units_per_stage=(1,), widths=(4,))
model = ResNetV2(config, input_shape=(32, 32, 3))
images = np.load(sys.argv[1])
path = export_saved_model(model, sys.argv[2], standardization="cifar10",
                          class_names=tuple("abcdefghij"))
np.save(sys.argv[3], model(data.STANDARDIZATIONS["cifar10"](images)))
try:
    export_saved_model(model, sys.argv[2], standardization="cifar10",
                       class_names=("a", "b"))
except ValueError as error:
    print(path.name, error)
"""


@pytest.mark.multiprocess
def test_a_network_on_jax(pictures, tmp_path):
    np.save(tmp_path / "images.npy", pictures.images)
    printed = run_python(
        ON_JAX,
        tmp_path / "images.npy",
        tmp_path / "served",
        tmp_path / "out.npy",
        backend="jax",
    )
    assert printed.startswith("1 The model has 10 classes")
    np.testing.assert_allclose(
        serve(tmp_path / "served" / "1", pictures.images),
        np.load(tmp_path / "out.npy"),
        atol=1e-5,
    )


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
from keras_resnetv2 import ResNetConfig, ResNetV2, export_saved_model
try:
    export_saved_model(ResNetV2(ResNetConfig(depth=8)), sys.argv[1],
                       standardization="cifar10")
except ImportError as error:
    print(error)
"""


@pytest.mark.multiprocess
def test_on_another_backend_without_tensorflow(tmp_path):
    printed = run_python(WITHOUT_TENSORFLOW, tmp_path / "new", backend="jax")
    assert "A SavedModel needs tensorflow" in printed
    assert not (tmp_path / "new").exists()


@pytest.mark.large
def test_resnet_1001(tmp_path):
    """With the statistics it is built with, its numbers overflow."""
    model = PreActResNet1001()
    images = data.load_arrays("cifar10_sample", "train").images[:2]
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.0
    model(STANDARDIZATION(images), training=True)
    path = export_saved_model(model, tmp_path, standardization=STANDARDIZATION)
    np.testing.assert_allclose(
        serve(path, images), np.array(model(STANDARDIZATION(images))), atol=1e-2
    )
