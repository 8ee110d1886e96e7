import itertools
import math

import numpy as np
import pytest
from report_studies import PLAN, result

from keras_resnetv2.studies import agreement
from keras_resnetv2.studies.agreement import rank_agreement
from keras_resnetv2.studies.study import FAIL

pytest.importorskip("scipy")


def row(published, *errors):
    runs = [
        result(PLAN, "original", seed, error)
        for seed, error in enumerate(errors)
    ]
    return published, runs


def tau_b(x, y):
    """Pairs in the same order less those in the opposite one, ties halved."""
    pairs = itertools.combinations(range(len(x)), 2)
    sign = [
        (
            (x[i] > x[j]) - (x[i] < x[j]),
            (y[i] > y[j]) - (y[i] < y[j]),
        )
        for i, j in pairs
    ]
    a, b = np.array(sign).T
    return (a * b).sum() / math.sqrt((a**2).sum() * (b**2).sum())


def test_the_same_ranking_without_noise():
    rows = [row(6.6, *[0.08] * 3), row(7.0, *[0.09] * 4), row(FAIL, *[0.3] * 3)]
    found = rank_agreement(rows)
    assert (found.tau, found.low, found.high) == (1, 1, 1)
    assert (found.rows, found.runs) == (3, 3)


def test_what_fails_ranks_last_and_ties(agree):
    rows = [
        row(6.6, 0.08, 0.081, 0.5),
        row(FAIL, None, None, 0.07),
        row(8.7, None, None, None),
        row(FAIL, 0.09, 0.1, 0.11),
        row(None, 0.01, 0.01, 0.01),
        row(1.0),
    ]
    expected = tau_b([6.6, 99, 8.7, 99], [8.1, 99, 99, 10])
    found = rank_agreement(rows)
    assert found.rows == 4
    agree("Kendall's tau-b, by hand", found.tau, expected, within=1e-6)


def test_overlapping_runs_widen_the_interval():
    rows = [row(6 + i, 0.08, 0.09 + i / 1000, 0.10) for i in range(4)]
    found = rank_agreement(rows)
    assert -1 <= found.low < found.tau - 0.2 and found.low < found.high <= 1


def test_the_same_runs_give_the_same_interval(monkeypatch):
    monkeypatch.setattr(agreement, "_RESAMPLES", 3)
    random = np.random.default_rng(1)
    rows = [row(6 + i, *random.uniform(0.05, 0.1, 5)) for i in range(11)]
    assert rank_agreement(rows) == rank_agreement(rows)


@pytest.mark.parametrize(
    "rows, says",
    [
        (
            [row(6.6, 0.1), *[row(7, 0.1, 0.1, 0.1)] * 2],
            "has only 1 run; at least 3 runs of",
        ),
        (
            [row(6.6, *[0.1] * 3)] * 2 + [row(None, 0.1), row(7)],
            "a run: 2; at least 3",
        ),
        ([row(6.6, *[0.1] * 3)] * 3, "All rows tie"),
    ],
)
def test_too_little_to_tell(rows, says):
    with pytest.raises(ValueError, match=says):
        rank_agreement(rows)


def test_the_papers_fail_ties_with_its_own():
    """The same errors, of which the paper calls two a fail."""
    rows = [
        row(6.6, *[0.066] * 3),
        row(8.7, *[0.087] * 3),
        row(FAIL, *[0.3] * 3),
        row(FAIL, *[0.6] * 3),
    ]
    assert rank_agreement(rows).tau < 1
    found = rank_agreement(rows, fails_above=20.0)
    assert (found.tau, found.low, found.high) == (1, 1, 1)
