"""Every order x shortcut x unit x dimension change; and what they survive."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from counting import counted

from keras_resnetv2 import (
    ResNetConfig,
    ResNetV2,
    complexity,
    load_arrays,
    training,
)
from keras_resnetv2.data import Standardization
from keras_resnetv2.export import signatures
from keras_resnetv2.export.versions import write_graph
from keras_resnetv2.models.activations import ACTIVATION_ORDERS
from keras_resnetv2.models.shortcuts import DIMENSION_CHANGES, SHORTCUTS
from keras_resnetv2.models.specs import UNITS

LARGE = pytest.mark.large


def tiny_config(order, shortcut, unit, change):
    return ResNetConfig(
        units_per_stage=(2, 1),
        widths=(4, 8),
        activation_order=order,
        shortcut=shortcut,
        unit=unit,
        dimension_change=change,
    )


def tiny(order, shortcut, unit, change, **kwargs):
    config = tiny_config(order, shortcut, unit, change)
    return ResNetV2(config, input_shape=(8, 8, 3), **kwargs)


def images(count):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 8, 8, 3)).astype("float32")


def half_of_all():
    """All orders, shortcuts and units; of any two, with either change."""
    changes = list(DIMENSION_CHANGES)
    factors = map(enumerate, (ACTIVATION_ORDERS, SHORTCUTS, UNITS))
    for row in itertools.product(*factors):
        numbers, values = zip(*row)
        yield *values, changes[sum(numbers) % len(changes)]


def pairwise(*factors):
    """Rows in which every pair of values of two factors stands together."""
    wanted = {
        ((i, a), (j, b))
        for i, j in itertools.combinations(range(len(factors)), 2)
        for a in factors[i]
        for b in factors[j]
    }
    rows = []
    while wanted:
        row = max(
            itertools.product(*factors),
            key=lambda r: len(
                wanted & set(itertools.combinations(enumerate(r), 2))
            ),
        )
        wanted -= set(itertools.combinations(enumerate(row), 2))
        rows.append(row)
    return rows


PAIRS = pairwise(ACTIVATION_ORDERS, SHORTCUTS, UNITS, DIMENSION_CHANGES)


# Every value of each option.
EACH = list(
    zip(
        itertools.cycle(ACTIVATION_ORDERS),
        SHORTCUTS,
        itertools.cycle(UNITS),
        itertools.cycle(DIMENSION_CHANGES),
    )
)


def with_others(rows, others):
    """Rows, and other ones that are only tested with `-m large`."""
    others = [row for row in dict.fromkeys(others) if row not in rows]
    return [*rows, *(pytest.param(*row, marks=LARGE) for row in others)]


@pytest.mark.parametrize(
    "order, shortcut, unit, change", with_others(PAIRS, half_of_all())
)
def test_every_combination_reaches_and_counts_every_weight(
    order, shortcut, unit, change
):
    model = tiny(order, shortcut, unit, change)
    config = tiny_config(order, shortcut, unit, change)
    counts = complexity(config, input_shape=(8, 8, 3))
    assert counts == counted(model)
    labels = np.arange(16) % 10
    loss = keras.losses.SparseCategoricalCrossentropy()
    with tf.GradientTape() as tape:
        value = loss(labels, model(images(16), training=True))
    weights = [w.value for w in model.trainable_weights]
    for weight, grad in zip(weights, tape.gradient(value, weights)):
        assert grad is not None, weight.name
        assert np.any(np.array(grad)), weight.name


def test_pairs_cover_all_options():
    assert len(PAIRS) < 40
    for factor, values in enumerate(
        (ACTIVATION_ORDERS, SHORTCUTS, UNITS, DIMENSION_CHANGES)
    ):
        assert {row[factor] for row in PAIRS} == set(values)


def with_statistics(model):
    """Of values that are not 0 and 1."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.endswith(("moving_mean", "moving_variance", "beta")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


# Layers do not see each other's options.
@pytest.mark.parametrize(
    "order, shortcut, unit, change", with_others(EACH, PAIRS)
)
def test_saved_models_give_equal_outputs(
    order, shortcut, unit, change, tmp_path
):
    model = with_statistics(tiny(order, shortcut, unit, change))
    x = images(4)
    expected = np.array(model(x))

    model.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(np.array(loaded(x)), expected, atol=1e-6)
    assert type(loaded) is type(model)

    model.save_weights(tmp_path / "w.weights.h5")
    other = tiny(
        order, shortcut, unit, change, weights=str(tmp_path / "w.weights.h5")
    )
    np.testing.assert_allclose(np.array(other(x)), expected, atol=1e-6)


@pytest.mark.parametrize("order, shortcut, unit, change", EACH)
def test_graphs_give_equal_outputs(
    order, shortcut, unit, change, tmp_path, monkeypatch
):
    model = with_statistics(tiny(order, shortcut, unit, change))
    x = images(4)
    # export_saved_model less its check, for seconds.
    default = {"serving_default": signatures.SIGNATURES["serving_default"]}
    monkeypatch.setattr(signatures, "SIGNATURES", default)
    write_graph(
        model,
        tmp_path / "served",
        signatures.Serving(
            standardization=Standardization(
                np.zeros(3, "float32"), np.ones(3, "float32")
            ),
            class_names=[str(i) for i in range(10)],
            resize=8,
            top_k=5,
            pixel_limit=1000,
        ),
    )
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(
        served.signatures["serving_default"](images=tf.constant(x))[
            "probabilities"
        ].numpy(),
        np.array(model(x)),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "order, shortcut",
    with_others(
        [("full_preactivation", "identity"), ("original", "exclusive_gating")],
        [
            *itertools.product(ACTIVATION_ORDERS, ["identity"]),
            *itertools.product(["original"], SHORTCUTS),
        ],
    ),
)
def test_overfits_32_images(order, shortcut):
    data = load_arrays("cifar10_sample")
    x = Standardization.from_images(data.images, "per_channel")(
        data.images[:32, ::4, ::4]
    )
    labels = data.labels[:32]
    # Nearly closed gates and half of the signal dropped learn, too, but not
    # in seconds.
    options = {
        "exclusive_gating": {"gate_bias": 0.0},
        "shortcut_only_gating": {"gate_bias": -1.0},
        "dropout": {"dropout_rate": 0.1},
    }.get(shortcut, {})
    config = ResNetConfig(
        units_per_stage=(1, 1),
        widths=(16, 32),
        activation_order=order,
        shortcut=shortcut,
        **options,
    )
    model = ResNetV2(config, classifier_activation=None, input_shape=(8, 8, 3))
    training.compile(model, "paper", total_steps=80, learning_rate=0.05)
    # Every step sees the same batch, whose statistics are used.
    model.fit(
        np.tile(x, (80, 1, 1, 1)),
        np.tile(labels, 80),
        batch_size=32,
        verbose=0,
        shuffle=False,
    )
    logits = np.array(model(x, training=True))
    assert (logits.argmax(1) == labels).mean() >= 0.9
