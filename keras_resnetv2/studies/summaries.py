"""The runs of a row, in numbers."""

import dataclasses
import math
import statistics
from collections.abc import Sequence

from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.study import FAIL


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the runs of a row came to; errors in %, None where there is none.

    Attributes:
        runs: number of them, those that diverged too.
        diverged: number of these.
        median: of the last epochs' test errors, as the paper reports; "fail"
            where half of the runs diverged, or more.
        mean: likewise; None where a run diverged.
        spread: their sample standard deviation; None of one run alone, and
            where a run diverged.
        train: median of the last epochs' train errors, or "fail".
    """

    runs: int
    diverged: int
    median: float | str | None
    mean: float | None
    spread: float | None
    train: float | str | None


def summarize(results: Sequence[Result]) -> Summary:
    """Sums the runs of a row up.

    The best epoch of a run plays no part: it was chosen on the test set.

    Args:
        results: of the same network, one a seed; may be empty.
    """
    errors = last_errors(results)
    train = [
        math.inf if result.last is None else 100 * result.train_error[-1]
        for result in results
    ]
    finite = all(map(math.isfinite, errors))
    return Summary(
        runs=len(results),
        diverged=sum(map(math.isinf, errors)),
        median=_median(errors),
        mean=statistics.fmean(errors) if errors and finite else None,
        spread=statistics.stdev(errors) if len(errors) > 1 and finite else None,
        train=_median(train),
    )


def last_errors(results: Sequence[Result]) -> list[float]:
    """Test errors in % after the last step; one that diverged is infinite."""
    return [
        math.inf if result.last is None else 100 * result.last
        for result in results
    ]


def _median(errors):
    if not errors:
        return None
    median = statistics.median(errors)
    return median if math.isfinite(median) else FAIL
