"""Compares our ranking of a table's rows with the published one."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from keras_resnetv2.studies.results import Result, last_errors
from keras_resnetv2.studies.study import FAIL

MIN_RUNS = 3
MIN_ROWS = 3
_RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b between two rankings.

    Attributes:
        tau: 1 for the same ranking, -1 for the opposite one.
        low: lower end of its 95 % interval.
        high: upper end.
        rows: number of rows in both rankings.
        runs: the smallest number of runs of a row.
    """

    tau: float
    low: float
    high: float
    rows: int
    runs: int


def rank_agreement(
    rows: Iterable[tuple[float | str | None, Sequence[Result]]],
    fails_above: float = math.inf,
) -> Agreement:
    """Compares the ranks of our medians with those of published figures.

    Failed rows rank last and tie with each other. The interval is a bootstrap
    over the seeds: each row's runs are resampled with replacement. It ignores
    the noise in the published figures.

    Reference: Kendall, "The treatment of ties in ranking problems", 1945;
    Efron, "Bootstrap methods: another look at the jackknife", 1979.

    Args:
        rows: for each row the published test error in %, or "fail", and the
            runs. Rows without a figure or a run are left out.
        fails_above: our medians above this value, in %, also count as fails.

    Raises:
        ValueError: if there are too few rows or runs, or all rows tie; says
            how many there are and how many are needed.
    """
    rows = [row for row in rows if row[0] is not None and row[1]]
    if len(rows) < MIN_ROWS:
        raise ValueError(
            f"Rows with a published figure and a run: {len(rows)}; at least "
            f"{MIN_ROWS} are needed."
        )
    fewest = min(len(runs) for _, runs in rows)
    if fewest < MIN_RUNS:
        raise ValueError(
            f"A row has only {fewest} run{'s' * (fewest > 1)}; at least "
            f"{MIN_RUNS} runs of every row with a published figure are needed."
        )
    from scipy.stats import kendalltau

    theirs = [math.inf if error == FAIL else error for error, _ in rows]
    ours = [np.array(last_errors(runs)) for _, runs in rows]

    def tau(errors):
        medians = np.array([np.median(row) for row in errors])
        medians[medians > fails_above] = math.inf
        return kendalltau(theirs, medians).statistic

    found = tau(ours)
    if math.isnan(found):
        raise ValueError("All rows tie in one of the rankings.")
    random = np.random.default_rng(0)
    drawn = [
        tau([random.choice(row, len(row)) for row in ours])
        for _ in range(_RESAMPLES)
    ]
    # If all rows of a resample tie, its tau is NaN.
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Agreement(float(found), float(low), float(high), len(rows), fewest)
