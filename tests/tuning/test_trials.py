import itertools
import random
import traceback

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial
from trial_rows import completed, failed

from keras_resnetv2.training import Experiment
from keras_resnetv2.tuning import SearchSpace
from keras_resnetv2.tuning.trials import (
    TrialRow,
    best,
    front,
    millions,
    ranked,
    summary_line,
    trial_rows,
)


def test_best_has_the_lowest_error_then_fewer_parameters_then_comes_first():
    rows = [
        completed("0", 0.2, 10),
        completed("1", 0.1, None),
        completed("2", 0.1, 30),
        completed("3", 0.1, 20),
        completed("4", 0.1, 20),
        failed("5", "out of memory", 1),
        TrialRow("6", "running", 0.05, 1, 1, 1, 1.0, {}),
    ]
    assert best(rows).trial == "3"
    assert [row.trial for row in ranked(rows)] == ["3", "4", "2", "1", "0"]


def test_no_completed_trial_no_best():
    assert best([]) is None
    assert best([failed("0", "NaN", 1)]) is None
    assert front([failed("0", "NaN", 1)], "parameters") == []


def by_brute_force(rows, cost):
    """Of equal points the first; then those which no other dominates."""
    points = {}
    for row in ranked(rows):
        if getattr(row, cost) is not None:
            points.setdefault((getattr(row, cost), row.error), row)
    return [
        points[size, error]
        for size, error in sorted(points)
        if not any(
            other != (size, error) and other[0] <= size and other[1] <= error
            for other in points
        )
    ]


@pytest.mark.parametrize("cost", ["parameters", "multiply_adds"])
def test_front_against_brute_force(cost):
    drawn = random.Random(0)
    sizes = []
    for _ in range(200):
        rows = [
            completed(
                str(trial),
                drawn.randrange(6) / 10,
                drawn.choice([None, *range(1, 6)]),
                drawn.choice([None, *range(1, 6)]),
            )
            for trial in range(drawn.randrange(12))
        ] + [failed("x", "NaN", 0, 0)]
        expected = by_brute_force(rows, cost)
        assert front(rows, cost) == expected
        sizes.append(len(expected))
    assert set(sizes) >= {0, 1, 2, 3}


def test_the_best_ends_the_front():
    for errors in itertools.product([0.1, 0.2], repeat=3):
        rows = [completed(str(i), e, 5 - i, 9) for i, e in enumerate(errors)]
        assert front(rows, "parameters")[-1] is best(rows)
        assert front(rows, "multiply_adds") == [best(rows)]


def test_unknown_cost():
    with pytest.raises(ValueError, match="'flops'.*'multiply_adds'"):
        front([], "flops")


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: TrialRow("7", "ok", 0.1, 1, 1, 1, 1.0, {}), "'ok'.*'failed'"),
        (lambda: completed("7", None), "Trial 7.*error=None.*reason"),
        (lambda: completed("7", 12.34), "Trial 7.*fraction.*12.34"),
        (lambda: completed("7", float("nan")), "nan.*'failed'"),
        (lambda: completed("7", 0.1, values={"error": 1}), "'error'.*Rename"),
    ],
)
def test_bad_rows(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def fail(error, *causes):
    if not causes:
        raise error
    try:
        fail(*causes)
    except Exception as cause:
        raise error from cause


def message(*errors):
    """What keras-tuner notes of a trial that raised."""
    try:
        fail(*errors)
    except Exception:
        return traceback.format_exc()


NOT_BUILT = keras_tuner.errors.FailedTrialError("Not built: too large.")
OF_ITS_OWN = "killed\nTraceback (most recent call last):\n  in its log"


@pytest.mark.parametrize(
    "message, reason",
    [
        (None, None),
        (OF_ITS_OWN, OF_ITS_OWN),
        (message(NOT_BUILT), "Not built: too large."),
        (message(NOT_BUILT, ValueError("inner")), "Not built: too large."),
        (message(MemoryError("a\n  b"), OSError("c")), "MemoryError: a\n  b"),
    ],
)
def test_the_reason_is_what_was_raised(message, reason):
    trial = Trial(keras_tuner.HyperParameters(), "0", "FAILED", message)
    space = SearchSpace(Experiment("PreActResNet20", "fake", epochs=3))
    [row] = trial_rows([trial], space)
    assert (row.status, row.reason) == ("failed", reason)


@pytest.mark.parametrize(
    "number, text",
    [
        (269_722, "0.27M"),
        (1_727_962, "1.73M"),
        (40_551_040, "41M"),
        (3_858_000_000, "3,858M"),
        (4_321, "0.0043M"),
        (0, "0M"),
    ],
)
def test_millions(number, text):
    assert millions(number) == text


VALUES = {"depth": 20, "learning_rate": 0.0123456, "unit": "basic"}
ROW = completed("0003", 0.1234, 269_722, 40_551_040, values=VALUES)


def test_summary_line():
    best = completed("0001", 0.119)
    assert summary_line(ROW, best) == (
        "trial 0003  12.34%  0.27M parameters  41M multiply-adds  1:23  "
        "depth=20 learning_rate=0.01235 unit=basic  (best 0001 11.90%)"
    )
    assert summary_line(ROW, ROW).endswith("unit=basic  (best so far)")
    assert summary_line(best, None) == "trial 0001  11.90%  1:23"


def test_summary_line_of_a_failed_trial():
    row = failed("4", "OOM\n" * 90, 269_722, None, {"depth": 20})
    line = summary_line(row, ROW)
    assert line.startswith("trial 4  failed  0.27M parameters  OOM OOM")
    assert line.endswith("…  depth=20  (best 0003 12.34%)")
    assert len(line) < 200
