import numpy as np
import pytest

from keras_resnetv2 import PreActResNet20, decode_predictions
from keras_resnetv2.data import CLASS_NAMES
from keras_resnetv2.training.trained import Trained


@pytest.mark.parametrize(
    "scores, best",
    [
        (np.array([[0, 250, 5]], "uint8"), "b"),
        (np.array([[-128, 120, -120]], "int8"), "b"),
        (np.array([[False, False, True]]), "c"),
    ],
)
def test_quantized_scores(scores, best):
    [[(_, name, score)]] = decode_predictions(scores, 1, ["a", "b", "c"])
    assert (name, score) == (best, scores.max())


@pytest.mark.parametrize(
    "scores", [[["x", "y"]], [[0.1, np.nan]], [[np.inf, 0]], [[-np.inf] * 2]]
)
def test_what_ranks_nothing_is_refused(scores):
    with pytest.raises(ValueError, match="predictions (must be|contain NaN)"):
        decode_predictions(scores, 1, ["a", "b"])


def test_names_are_in_the_order_of_the_labels():
    names = CLASS_NAMES["cifar10"]
    network = PreActResNet20(weights="cifar10")
    trained = Trained(network, None, None, 0)
    for given in ("cifar10", network, trained, np.array(names)):
        named = decode_predictions(np.eye(10, dtype="float32"), 1, given)
        assert named == [[(i, names[i], 1.0)] for i in range(10)]


def test_no_names_are_guessed():
    with pytest.raises(ValueError, match="class_names=model"):
        decode_predictions(np.eye(10))
    with pytest.raises(ValueError, match="'mine' does not know the names"):
        decode_predictions(np.eye(10), 1, PreActResNet20(name="mine"))


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_logits_are_noticed(dtype):
    logits = np.array([[1.42, -0.5, 0.25], [0.0, 1.5, -np.inf]], dtype)
    powers = np.exp(logits.astype("float64"))
    expected = powers / powers.sum(axis=1, keepdims=True)
    for answers in (logits, expected.astype(dtype)):
        named = decode_predictions(answers, 3, ["a", "b", "c"])
        scores = [[score for _, _, score in sorted(row)] for row in named]
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_what_is_in_range_is_as_it_was_whatever_other_rows_are():
    """A sigmoid's answers need not add up to 1."""
    scores = [[0.9, 0.8], [-3.0, 2.0]]
    sigmoids, logits = decode_predictions(scores, 2, ["a", "b"])
    assert sigmoids == [(0, "a", 0.9), (1, "b", 0.8)]
    assert sum(score for *_, score in logits) == pytest.approx(1)


def test_the_best_first_and_of_equals_the_lower_label():
    scores = np.array([[0.2, 0.5, 0.2, 0.1]])
    names = ["a", "b", "c", "d"]
    [first] = decode_predictions(scores, 3, names)
    assert first == [(1, "b", 0.5), (0, "a", 0.2), (2, "c", 0.2)]
    assert len(decode_predictions(scores, 99, names)[0]) == 4
    [logits] = decode_predictions([[-3.0, -1.0, -2.0, -1.0]], 3, names)
    assert [label for label, _, _ in logits] == [1, 3, 2]
    many = np.tile([0.0, 1.0], (1, 100))
    [named] = decode_predictions(many, 100, [str(i) for i in range(200)])
    assert [label for label, _, _ in named] == list(range(1, 200, 2))


@pytest.mark.parametrize(
    "shape, options, says",
    [
        ((10,), {}, r"shape \(N, 10\).*received \(10,\)"),
        ((2, 100), {}, r"received \(2, 100\).*class_names="),
        ((2, 8, 8, 10), {}, "network with its classifier"),
        (
            (2, 3),
            {"class_names": ("cat", "dog")},
            r"\(N, 2\).* \(2, 3\)",
        ),
        ((2, 10), {"class_names": "mnist"}, "'mnist'.*'cifar10'"),
        ((2, 10), {"class_names": 10}, "class_names 10; give one of"),
        ((2, 10), {"top": 0}, "at least 1; received 0"),
        ((2, 10), {"top": 1.5}, "at least 1; received 1.5"),
    ],
)
def test_bad_input_is_named(shape, options, says):
    with pytest.raises(ValueError, match=says):
        decode_predictions(
            np.zeros(shape), **{"class_names": "cifar10", **options}
        )


def test_every_data_set_of_named_classes_has_unlike_ones():
    for names in CLASS_NAMES.values():
        assert len(set(names)) == len(names)
