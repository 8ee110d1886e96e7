"""Errors by class and over all images, against sklearn's or by hand."""

import csv

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from keras_resnetv2.training import classes, evaluation

NAMES = [f"c{i}" for i in range(7)]


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 400)  # none of the last class
    logits = rng.normal(size=(400, 7)).astype("float32")
    logits[np.arange(400), labels] += 1.5
    return logits, labels


def test_top_5(answers):
    logits, labels = answers
    for top in (1, 2, 5):
        accuracy = metrics.top_k_accuracy_score(
            labels, logits, k=top, labels=range(7)
        )
        found = evaluation.top_error(logits, labels, top)
        np.testing.assert_allclose(found, 1 - accuracy)


@pytest.mark.parametrize("logit", [0.0, np.nan])
def test_a_network_that_knows_nothing_has_no_hits_but_by_chance(logit):
    labels = np.arange(10).repeat(3)
    logits = np.full((30, 10), logit, "float32")
    assert evaluation.top_error(logits, labels) == 0.5
    expected = pytest.approx(0 if logit == 0 else np.nan, nan_ok=True)
    assert evaluation.calibration_error(logits, labels) == expected


def test_the_lower_label_comes_first_among_many_equal_ones():
    """NumPy's own sort only keeps the order of a few."""
    logits, labels = np.zeros((100, 100), "float32"), np.arange(100)
    assert evaluation.top_error(logits, labels) == 0.95


def test_calibration_by_hand():
    # Of probability 0.9: right 3 of 4 times; of 0.6: 1 of 2 times.
    likely = np.array([0.9] * 4 + [0.6] * 2)
    logits = np.log(np.stack([likely, 1 - likely], axis=1))
    labels = np.array([0, 0, 0, 1, 0, 1])
    expected = (4 * (0.9 - 0.75) + 2 * (0.6 - 0.5)) / 6
    found = evaluation.calibration_error(logits, labels)
    np.testing.assert_allclose(found, expected)
    sure = np.array([[9e3, 0.0], [0.0, 9e3]], "float32")
    assert evaluation.calibration_error(sure, np.array([0, 1])) == 0
    assert evaluation.calibration_error(sure, np.array([1, 0])) == 1


def test_every_class_is_told(answers, tmp_path):
    logits, labels = answers
    predicted = logits.argmax(axis=1)
    matrix = classes.confusion_matrix(predicted, labels, 7)
    np.testing.assert_array_equal(
        matrix, metrics.confusion_matrix(labels, predicted, labels=range(7))
    )
    classes.write_class_files(tmp_path, matrix, NAMES, "title")
    with open(tmp_path / "classes.csv") as file:
        rows = list(csv.DictReader(file))
    recall = metrics.recall_score(
        labels, predicted, labels=range(7), average=None, zero_division=0
    )
    precision = metrics.precision_score(
        labels, predicted, labels=range(7), average=None, zero_division=0
    )
    for i, row in enumerate(rows[:6]):
        assert row["name"] == NAMES[i]
        assert int(row["images"]) == (labels == i).sum()
        np.testing.assert_allclose(1 - float(row["error"]), recall[i])
        np.testing.assert_allclose(float(row["precision"]), precision[i])
        wrong = predicted[(labels == i) & (predicted != i)]
        most = np.bincount(wrong, minlength=7)
        assert most[NAMES.index(row["mistaken_for"])] == most.max()
    assert rows[6]["images"] == "0" and rows[6]["error"] == ""
    with open(tmp_path / "confusion.csv") as file:
        head, *counts = csv.reader(file)
    assert head == ["true class", *NAMES]
    assert [row[0] for row in counts] == NAMES
    np.testing.assert_array_equal(
        [list(map(int, row[1:])) for row in counts], matrix
    )


def test_a_dollar_in_a_name_is_no_formula(tmp_path):
    names = ["$\\frac_5$", "$_$"]
    classes.write_class_files(tmp_path, np.eye(2, dtype=int), names, "$^$")
    assert (tmp_path / "confusion.png").exists()


def test_a_picture_that_fails_is_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError("no font")

    monkeypatch.setattr(classes, "save_figure", fail)
    classes.write_class_files(tmp_path, np.eye(2, dtype=int), ["a", "b"], "")
    assert "confusion.png could not be drawn: no font" in caplog.text
    assert (tmp_path / "confusion.csv").exists()


def test_a_class_that_is_always_right_and_one_that_is_never_named():
    matrix = np.array([[3, 0], [2, 0]])
    first, second = classes.class_rows(matrix, ["cat", "dog"])
    assert first == ("cat", 3, 0.0, 0.6, "")
    assert second == ("dog", 2, 1.0, None, "cat")


@pytest.mark.parametrize("count", [2, 30, 1000])
def test_any_number_of_classes_is_drawn(count, tmp_path):
    names = [f"class {i}" for i in range(count)]
    matrix = np.eye(count, dtype=int) * 3
    classes.write_class_files(tmp_path, matrix, names, "title")
    with Image.open(tmp_path / "confusion.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
        assert 500 < image.width < 2000
    blue = (pixels[..., 2] - pixels[..., 0]) > 60
    assert blue.any()  # the diagonal
