"""What is handed to TensorFlow's process, which is this one here."""

import sys

import keras
import pytest
import tensorflow as tf

from keras_resnetv2 import ResNetConfig, ResNetV2, data
from keras_resnetv2.export import other_backend, self_check

LAYERS = """
import keras


@keras.saving.register_keras_serializable("a_users_own")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("a_users_own")
class OnJax(keras.layers.Layer):
    def call(self, x):
        return x.at[0].set(0)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x


def doubled(x):
    return 2 * x
"""


@pytest.fixture
def export(tmp_path, monkeypatch):
    """Exports a network behind a layer, as from another backend."""

    def run(name, folder):
        assert name == other_backend.__name__
        try:
            other_backend.main(folder)
        except ValueError as error:
            return str(error)

    monkeypatch.setattr(other_backend, "run_on_cpu", run)
    monkeypatch.setattr(self_check, "check", lambda *args: None)
    config = ResNetConfig(units_per_stage=(1,), widths=(4,), classes=2)

    def export(layer):
        inputs = keras.Input((32, 32, 3))
        model = keras.Model(inputs, ResNetV2(config)(layer(inputs)))
        return other_backend.export(
            model,
            tmp_path / "served",
            "export_saved_model",
            standardization=data.STANDARDIZATIONS["cifar10"],
        )

    return export


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """A user's module, in the folder that they work in."""
    (tmp_path / "users_layers.py").write_text(LAYERS)
    monkeypatch.syspath_prepend(tmp_path)
    import users_layers

    yield users_layers
    del sys.modules["users_layers"]


def test_a_registered_layer_of_a_module(export, layers):
    assert tf.saved_model.load(str(export(layers.Doubled()))).signatures


@pytest.mark.parametrize(
    "layer, says",
    [
        (lambda own: own.OnJax(), "cannot run .* calling OnJax.call()"),
        (lambda own: own.Unregistered(), "cannot load .* class 'Unregistered'"),
        (
            lambda own: keras.layers.Activation(own.doubled),
            "cannot load .* function 'doubled'",
        ),
        (
            lambda own: keras.layers.Lambda(own.doubled),
            "cannot load .* function 'doubled'",
        ),
    ],
)
def test_what_tensorflow_cannot_have_is_named(export, layers, layer, says):
    with pytest.raises(ValueError, match=says) as raised:
        export(layer(layers))
    assert "register_keras_serializable" in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_layer_of_the_notebook_is_named(export, monkeypatch):
    class Here(keras.layers.Layer):
        def call(self, x):
            return x

    monkeypatch.setattr(Here, "__module__", "__main__")
    with pytest.raises(ValueError, match="'here' .* the class into a module"):
        export(Here())
