"""The ways to use a model, as a table, and what it answers used so."""

import functools
import pathlib
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import golden_models
import keras
import numpy as np

from keras_resnetv2 import export_saved_model, training


class Way(NamedTuple):
    """A row of `WAYS`.

    Attributes:
        answer: of a model's name and a folder to write in: what
            `golden_models.ask` or `golden_models.step` gives, or a part of it.
        within: how far outputs may be off the golden, relative to each
            tensor's maximum.
        step_within: likewise what the step gives.
        backend: the backend of the process of its own it needs, or None.
        deepest: the most layers of a net.
        marks: names of pytest markers.
        fast: the models of `make test`; the others are marked `large`.
    """

    answer: Callable[[str, pathlib.Path], dict[str, np.ndarray]]
    within: float = 1e-5  # roundings in float32 come to 2e-6 of an output,
    step_within: float = 1e-3  # and to 1e-4 of a gradient
    backend: str | None = None
    deepest: int = 1202
    marks: tuple[str, ...] = ()
    fast: tuple[str, ...] = ("PreActResNet20",)


def _asked_and_trained(name, folder, **options):
    model = golden_models.build(name)
    answers = golden_models.ask(model, name, **options)
    return answers | golden_models.step(model, name, **options)


def _keras_file(name, folder):
    golden_models.build(name).save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    return golden_models.ask(loaded, name)


def _weights_file(name, folder):
    path = folder / "model.weights.h5"
    golden_models.build(name).save_weights(path)
    loaded = golden_models.make(name, weights=str(path))
    return golden_models.ask(loaded, name)


def _saved_model(name, folder):
    import tensorflow as tf

    path = export_saved_model(
        golden_models.build(name),
        folder / "served",
        standardization=golden_models.STANDARDIZATION,
    )
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = served(images=tf.constant(golden_models.pixels(name)))
    probabilities = answer["probabilities"].numpy()
    return {"probabilities": golden_models.kept(probabilities)}


def _rematerialized(name, folder):
    model = golden_models.build(name)
    model.remat = "unit"
    return golden_models.step(model, name)


def _two_replicas(name, folder):
    with _strategy().scope():
        model = golden_models.build(name)
    return golden_models.step(model, name, replicas=2)


@functools.cache
def _strategy():
    return training.make_strategy(2)


def _mixed_precision(name, folder):
    with training.precision("mixed_bfloat16"):
        model = golden_models.build(name)
    return golden_models.ask(model, name)


_xla = functools.partial(_asked_and_trained, jit_compile=True)

# To compile takes minutes where the nets are deep.
_COMPILED = {"deepest": 164}

WAYS = {
    # The two have both stems, units and dimension changes.
    "TensorFlow": Way(
        _asked_and_trained, fast=("PreActResNet20", "ResNet50V2")
    ),
    ".keras": Way(_keras_file),
    ".weights.h5": Way(_weights_file),
    "SavedModel": Way(_saved_model),
    "two replicas": Way(_two_replicas, backend="tensorflow"),
    # bfloat16 has 8 bits: each of its roundings is up to a 256th.
    "mixed precision": Way(_mixed_precision, within=0.03),
    # Roundings that switch a ReLU here and there: in float64 XLA's step has all
    # of the golden's digits.
    "XLA": Way(_xla, step_within=0.02, backend="tensorflow", **_COMPILED),
    "rematerialized": Way(_rematerialized, **_COMPILED),
    "JAX": Way(_asked_and_trained, backend="jax", **_COMPILED),
    "JAX, rematerialized": Way(_rematerialized, backend="jax", **_COMPILED),
    "PyTorch": Way(_asked_and_trained, backend="torch", marks=("parity",)),
}


def run(path: str, *cases: str) -> None:
    """Writes {path}: an .npz of "{case} {answer}", for a test to compare.

    Args:
        path: of the file.
        *cases: "{way}-{model}", of `WAYS` and `MODELS`.
    """
    answers = {}
    for case in cases:
        way, name = case.split("-")
        keras.utils.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            found = WAYS[way].answer(name, pathlib.Path(folder))
        answers |= {f"{case} {key}": value for key, value in found.items()}
    np.savez(path, **answers)
