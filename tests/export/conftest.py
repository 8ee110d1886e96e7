import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_resnetv2 import ResNetConfig, ResNetV2, export_saved_model
from keras_resnetv2.data import STANDARDIZATIONS, load_arrays
from keras_resnetv2.export import self_check


def small(**kwargs):
    """Of one unit: each signature traces the network anew."""
    return ResNetV2(ResNetConfig(units_per_stage=(1,), widths=(8,)), **kwargs)


@pytest.fixture(scope="session")
def pictures():
    """Real ones: 40 of the bundled test images."""
    return load_arrays("cifar10_sample", "test").take(40)


@pytest.fixture(scope="session")
def model():
    """Sharper than a fresh one, whose classes are all but equally likely."""
    keras.utils.set_random_seed(0)
    model = small()
    model.get_layer("predictions").kernel.assign(
        np.random.default_rng(0).normal(scale=0.3, size=(8, 10))
    )
    return model


@pytest.fixture(scope="session")
def standardization():
    return STANDARDIZATIONS["cifar10"]


@pytest.fixture(scope="session")
def export(model, pictures, standardization, tmp_path_factory):
    """One export, and what the fresh process of its check answered.

    They come from a directory that holds another copy of us.
    """
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "keras_resnetv2").mkdir()
    (elsewhere / "keras_resnetv2" / "__init__.py").write_text("1 / 0")
    replay, replayed = self_check.replayed, []

    def keep(module, version):
        replayed.append(replay(module, version))
        return replayed[0]

    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(elsewhere):
        patch.setattr(self_check, "replayed", keep)
        version = export_saved_model(
            model,
            tmp_path_factory.mktemp("serving") / "small",
            standardization=standardization,
            class_names=pictures.class_names,
            resize=36,
            top_k=3,
        )
    return version, replayed[0]


@pytest.fixture(scope="session")
def version(export):
    """Its directory, for all tests that only look at it."""
    return export[0]


@pytest.fixture(scope="session")
def signatures(version):
    return tf.saved_model.load(str(version)).signatures
