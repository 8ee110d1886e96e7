import keras
import numpy as np
import pytest

from keras_resnetv2 import PreActResNet20, ResNetConfig, ResNetV2, training
from keras_resnetv2.models.classifier import find_end, gives_logits

SHAPE = (8, 8, 3)


def small(classifier_activation=None, **kwargs):
    config = ResNetConfig(units_per_stage=(1,), widths=(4,), classes=3)
    return ResNetV2(
        config,
        input_shape=SHAPE,
        classifier_activation=classifier_activation,
        **kwargs,
    )


def behind(model, *operations):
    x = model.output
    for operation in operations:
        x = operation(x)
    return keras.Model(model.input, x)


def within(*models):
    x = inputs = keras.Input(SHAPE)
    for model in models:
        x = model(x)
    return keras.Model(inputs, x)


def head(*layers):
    return keras.Sequential([keras.layers.GlobalAveragePooling2D(), *layers])


def headless():
    return small(include_top=False)


PROBABILITIES = {
    "own": lambda: small("softmax"),
    "own, of keras.ops": lambda: small(keras.ops.softmax),
    "layer": lambda: behind(small(), keras.layers.Softmax()),
    "layer of axis 1": lambda: behind(small(), keras.layers.Softmax(axis=1)),
    "Activation": lambda: behind(small(), keras.layers.Activation("softmax")),
    "keras.ops": lambda: behind(small(), keras.ops.softmax),
    "keras.activations": lambda: behind(small(), keras.activations.softmax),
    "then float32": lambda: behind(
        small("softmax"), keras.layers.Activation("linear", dtype="float32")
    ),
    "then a cast": lambda: behind(
        small(), keras.ops.softmax, lambda x: keras.ops.cast(x, "float64")
    ),
    "within": lambda: within(small("softmax")),
    "behind a network": lambda: within(small(), keras.layers.Softmax()),
    "in a Sequential": lambda: within(
        headless(), head(keras.layers.Dense(3), keras.layers.Softmax())
    ),
    "of a Sequential": lambda: keras.Sequential(
        [keras.Input(SHAPE), headless(), head(keras.layers.Dense(3, "softmax"))]
    ),
    "no Dense": lambda: within(headless(), head(keras.layers.Softmax())),
}
LOGITS = {
    "own": small,
    "Activation": lambda: behind(small(), keras.layers.Activation("linear")),
    "a cast": lambda: behind(small(), lambda x: keras.ops.cast(x, "float64")),
    "Identity": lambda: behind(small(), keras.layers.Identity()),
    "within": lambda: within(small()),
    "in a Sequential": lambda: within(headless(), head(keras.layers.Dense(3))),
}


@pytest.mark.parametrize("build", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities(build):
    model = build()
    assert not gives_logits(model)
    answer = np.array(model(np.random.default_rng(0).random((2, *SHAPE))))
    np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-5)
    training.compile(model, "paper", total_steps=10)
    assert model.loss.get_config()["from_logits"] is False


@pytest.mark.parametrize("build", LOGITS.values(), ids=LOGITS)
def test_logits(build):
    model = build()
    assert gives_logits(model)
    training.compile(model, "paper", total_steps=10)
    assert model.loss.get_config()["from_logits"] is True


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: small("sigmoid"), "'predictions', whose outputs are neither"),
        (headless, "neither logits nor softmax"),
        (
            lambda: behind(small(), keras.ops.log_softmax),
            "'log_softmax', whose outputs are neither",
        ),
        (
            lambda: behind(small(), keras.layers.Softmax(axis=0)),
            "'softmax.*', whose outputs are neither",
        ),
        (
            lambda: behind(small("softmax"), keras.layers.Softmax()),
            "applies the softmax twice",
        ),
        (
            lambda: behind(small(), keras.ops.softmax, keras.layers.Softmax()),
            "applies the softmax twice",
        ),
        (
            lambda: keras.Model(
                (model := small()).input, [model.output, model.output]
            ),
            "one output is needed.* with 2 outputs",
        ),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "with no outputs"),
    ],
)
def test_what_is_no_classifier_is_refused(build, says):
    with pytest.raises(ValueError, match=says):
        training.compile(build(), "paper", total_steps=10)


def test_a_layer_of_two_networks_has_its_own_place_in_each():
    """A classifier that was built into another network before."""
    model = small("softmax")
    dense = model.get_layer("predictions")
    other = keras.Input(dense.input.shape[1:])
    keras.Model(other, dense(other))
    assert find_end(model).takes is model.get_layer("avg_pool").output
    assert find_end(keras.Model(other, dense(other))).takes is other


def test_the_end_is_the_output_that_the_softmax_takes():
    """Of an operation with several."""
    model = small()
    _, second = keras.ops.split(model.output, [1], axis=1)
    end = find_end(keras.Model(model.input, keras.ops.softmax(second)))
    assert end.gives is second
    assert end.takes is model.output
    assert end.softmax == "follows"


@pytest.mark.parametrize("file", ["net.h5", "net.hdf5", "net.weights.h5"])
def test_the_legacy_format_is_refused(file, tmp_path):
    with pytest.raises(ValueError, match="ends in .keras; received .*net"):
        PreActResNet20().save(tmp_path / file)
    assert not any(tmp_path.iterdir())
