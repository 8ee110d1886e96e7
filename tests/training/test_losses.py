import keras
import numpy as np
import pytest

from keras_resnetv2.training.losses import SmoothedCrossentropy, crossentropy

LABELS = np.array([2, 0, 3])
LOGITS = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
@pytest.mark.parametrize(
    "predictions, from_logits", [(LOGITS, True), (PROBABILITIES, False)]
)
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None]])
def test_the_formula(labels, predictions, from_logits, smoothing):
    loss = crossentropy(smoothing, from_logits)
    log = np.log(PROBABILITIES)
    expected = -(1 - smoothing) * log[np.arange(3), LABELS]
    expected -= smoothing / 4 * log.sum(1)
    np.testing.assert_allclose(
        float(loss(labels, predictions)), expected.mean(), atol=1e-6
    )
    keras_own = keras.losses.CategoricalCrossentropy(
        from_logits, label_smoothing=smoothing
    )
    np.testing.assert_allclose(
        float(loss(labels, predictions)),
        float(keras_own(np.eye(4)[LABELS], predictions)),
        atol=1e-6,
    )


def test_none_is_keras_own():
    assert type(crossentropy(0.0, True)) is (
        keras.losses.SparseCategoricalCrossentropy
    )
    assert crossentropy(0.0, True).from_logits


def test_config_round_trip():
    loss = SmoothedCrossentropy(0.2, from_logits=True)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert type(again) is SmoothedCrossentropy
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("smoothing", [1.0, -0.1, None, "0.1"])
def test_out_of_range(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing.*{smoothing!r}"):
        crossentropy(smoothing)
