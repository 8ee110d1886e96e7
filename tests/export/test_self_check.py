"""An export that would answer wrongly is none."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_resnetv2 import export_saved_model
from keras_resnetv2.export import (
    picture_rows,
    replay,
    self_check,
    signatures,
    warm_up,
)
from keras_resnetv2.export.signatures import SIGNATURES

ROWS = list(SIGNATURES)


@pytest.fixture(scope="module")
def serving(pictures, standardization):
    return signatures.Serving(
        standardization, pictures.class_names, 36, 3, 50_000_000
    )


@pytest.fixture(scope="module")
def warmed(model, serving):
    return warm_up.make(model, serving)


@pytest.fixture(scope="module")
def answer(model, serving):
    return signatures.answer_of(model, serving.standardization)


@pytest.fixture(scope="module")
def expected(answer, warmed):
    return answer(warmed.pixels)


@pytest.fixture(scope="module")
def replayed(export):
    """What a fresh process answers."""
    return export[1]


@pytest.fixture
def check(replayed, warmed, expected, serving, monkeypatch, tmp_path):
    for folder in ("assets", "assets.extra"):
        (tmp_path / folder).mkdir()
    labels = "".join(f"{name}\n" for name in serving.class_names)
    (tmp_path / "assets" / "labels.txt").write_text(labels)

    def check(answers=replayed, allowed=1e-5):
        monkeypatch.setattr(self_check, "replayed", lambda *args: answers)
        self_check.check(
            tmp_path, warmed.requests, expected, serving.class_names, allowed
        )
        path = tmp_path / "assets.extra" / "self_check.json"
        return json.loads(path.read_text())

    return check


def test_right_answers_pass(check, version):
    report = check()
    assert 0 < report["largest_difference"] < report["allowed"] == 1e-5
    path = version / "assets.extra" / "self_check.json"
    assert json.loads(path.read_text()) == report


def add(value, row=0, column=1):
    def tamper(array):
        array[row, column] += value

    return tamper


def put(value, place):
    def tamper(array):
        array[place] = value

    return tamper


TAMPERED = {
    "probability": ("serving_default", "probabilities", add(2e-5)),
    "NaN": ("serving_default", "probabilities", add(np.nan)),
    "uint8": ("serving_uint8", "probabilities", add(-2e-5, -1, -1)),
    "GIF": ("image_bytes", "probabilities", add(2e-5, 2)),
    "feature": ("features", "features", add(2e-3)),
    "garbage's features": ("features", "features", add(2e-3, -1)),
    "garbage is valid": ("image_bytes", "valid", put(True, -1)),
    "picture is invalid": ("classify", "valid", put(False, 0)),
    "score": ("classify", "scores", add(2e-5)),
    "other class": ("classify", "classes", put(b"dog", (0, slice(None)))),
    "unknown class": ("classify", "classes", put(b"x", (1, 0))),
    "garbage's class": ("classify", "classes", put(b"dog", (-1, 0))),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_wrong_answer_is_noticed(what, check, replayed):
    signature, output, tamper = TAMPERED[what]
    answers = {key: value.copy() for key, value in replayed.items()}
    tamper(answers[f"{ROWS.index(signature)}/{output}"])
    with pytest.raises(ValueError, match=signature):
        check(answers)


def test_every_output_is_compared():
    outputs = {name for row in SIGNATURES.values() for name in row.outputs}
    assert outputs == {*self_check._OFF, signatures.VALID}


def allowed_by(answer, pixels, policy):
    return self_check.allowed_difference(answer, pixels, answer(pixels), policy)


@pytest.mark.parametrize(
    "policy, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 0.05)]
)
def test_what_is_allowed(policy, tolerance, answer, warmed):
    assert allowed_by(answer, warmed.pixels, policy) == tolerance


def test_a_network_that_blows_roundings_up_is_allowed_more(warmed):
    def answer(pixels):
        first = pixels[:, 0, 0, :2].astype(np.float64)
        return {"probabilities": factor * first, "features": first}

    factor = 10
    allowed = allowed_by(answer, warmed.pixels, "float32")
    largest = factor * warmed.pixels[:, 0, 0, :2].max() * 2**-24
    assert 5 * largest < allowed < 20 * largest
    factor = 10**6  # a check that allows so much would tell nothing
    assert allowed_by(answer, warmed.pixels, "float32") == 0.01


def test_a_network_that_answers_nan_is_told_so(warmed):
    def answer(pixels):
        return {"probabilities": np.full((4, 10), np.nan)}

    with pytest.raises(ValueError, match="NaN or Inf.*Train it"):
        allowed_by(answer, warmed.pixels, "float32")


def test_a_missing_answer_is_noticed(check, replayed):
    answers = {k: v for k, v in replayed.items() if not k.startswith("3/")}
    with pytest.raises(ValueError, match="classify.*nothing"):
        check(answers)


def test_a_missing_output_is_noticed(check, replayed):
    answers = {k: v for k, v in replayed.items() if k != "3/valid"}
    with pytest.raises(ValueError, match="classify.*'scores'"):
        check(answers)


def test_other_labels_are_noticed(check, tmp_path):
    (tmp_path / "assets" / "labels.txt").write_text("cat\n" * 10)
    with pytest.raises(ValueError, match="labels.txt"):
        check()


def test_classes_of_one_name(replayed, warmed, expected, serving):
    """ImageNet has two cranes: either's probability is the name's."""
    names = ["crane"] * len(serving.class_names)
    row = ROWS.index("classify")
    answers = {
        f"{row}/{key}": replayed[f"{row}/{key}"].copy()
        for key in ("classes", "scores", "valid")
    }
    answers[f"{row}/classes"][:-1] = b"crane"
    found = {key.partition("/")[2]: value for key, value in answers.items()}
    valid = warmed.requests[row].valid
    off = self_check._difference(found, expected, valid, names)
    assert off < 1e-5


def replay_here(module, version, path):
    """Saves the seconds of a process; `export` has one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "keras", sys.modules["keras"])
        replay.main(str(version), str(path))


def test_a_wrong_export_is_removed(
    model, serving, standardization, tmp_path, monkeypatch
):
    """The graph crops elsewhere than the evaluation does, where it scales."""
    right = picture_rows.decode_and_cut_tf

    def wrong(encoded, choose, size, turn):
        def chosen(height, width):
            crop = choose(height, width)
            moved = tf.where(height == width, crop.left, 0)
            return crop._replace(left=moved)

        return right(encoded, chosen, size, turn)

    monkeypatch.setattr(picture_rows, "decode_and_cut_tf", wrong)
    monkeypatch.setattr(self_check, "run_on_cpu", replay_here)
    with pytest.raises(ValueError, match="image_bytes.*Nothing was exported"):
        export_saved_model(
            model, tmp_path, standardization=standardization, resize=36
        )
    assert not list(tmp_path.iterdir())


def test_an_export_that_does_not_load_is_removed(
    model, standardization, tmp_path, monkeypatch
):
    from keras_resnetv2.export import prediction_log

    right = prediction_log.write

    def write(version, *args):
        right(version, *args)
        (version / "saved_model.pb").write_bytes(b"broken")

    monkeypatch.setattr(prediction_log, "write", write)
    with pytest.raises(ValueError, match="does not work in a new process"):
        export_saved_model(model, tmp_path, standardization=standardization)
    assert not list(tmp_path.iterdir())
