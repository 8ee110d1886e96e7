import dataclasses

import pytest
from report_studies import PLAN, result

from keras_resnetv2.studies.study import FAIL
from keras_resnetv2.studies.summaries import Summary, summarize


def runs(*errors):
    return [
        result(PLAN, "original", seed, error, train=error or 0.5)
        for seed, error in enumerate(errors)
    ]


def test_of_three_runs(agree):
    found = dataclasses.asdict(summarize(runs(0.08, 0.10, 0.087)))
    expected = Summary(3, 0, 8.7, 8.9, 1.014889, 8.7)
    agree(
        "summary of runs, by hand",
        found,
        dataclasses.asdict(expected),
        within=1e-6,
    )


def test_of_one_run_there_is_no_spread(agree):
    found = summarize(runs(0.08))
    assert found.spread is None
    agree("summary of runs, by hand", found.mean, 8.0, within=1e-6)
    agree("summary of runs, by hand", found.median, 8.0, within=1e-6)


def test_of_none():
    assert summarize([]) == Summary(0, 0, None, None, None, None)


@pytest.mark.parametrize(
    "errors, median", [((None, 0.08, 0.1), 10.0), ((None, None, 0.1), FAIL)]
)
def test_a_diverged_run_is_worse_than_any_number(errors, median):
    found = summarize(runs(*errors))
    assert found.median == found.train == median
    assert (found.runs, found.diverged) == (3, errors.count(None))
    assert found.mean is found.spread is None


def test_the_last_epoch_counts_not_the_best():
    run = result(PLAN, "original", 0, 0.2, test_error=[0.1, 0.2], best=0.1)
    assert summarize([run]).median == 20.0
