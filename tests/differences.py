"""The largest difference that each witness saw, in a table after the tests."""

import numpy as np
import pytest

_PROPERTY = "difference"


def difference(got, expected) -> float:
    """Largest |got - expected|, relative to the largest |expected|.

    A difference of NaNs, or to a tensor of zeros, is no relative one: NaN and
    infinity come of them, which no tolerance allows.
    """
    got, expected = (np.asarray(a, "float64") for a in (got, expected))
    assert got.shape == expected.shape, (got.shape, expected.shape)
    worst = np.abs(got - expected).max(initial=0)
    if worst == 0:
        return 0.0
    largest = np.abs(expected).max()
    return float(worst / largest) if largest else np.inf


@pytest.fixture
def agree(record_property):
    """agree(witness, got, expected, within): tensors, or dicts of them.

    Every pair of tensors must differ by `within` of its maximum at most.
    `witness` names the row of the table; the worst of all tests stands there.
    """

    def check(witness, got, expected, within):
        if not isinstance(expected, dict):
            got, expected = {"": got}, {"": expected}
        assert got.keys() == expected.keys()
        each = {key: difference(got[key], expected[key]) for key in expected}
        worst = max(each, key=lambda key: (not each[key] <= within, each[key]))
        record_property(_PROPERTY, (witness, each[worst], within))
        assert each[worst] <= within, (
            f"{witness}: {worst or 'it'} is off by {each[worst]:.2g} of its "
            f"maximum; {within:.2g} is allowed"
        )

    return check


def pytest_terminal_summary(terminalreporter):
    seen = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    witness, found, within = value
                    old = seen.get(witness, (0.0, within, 0))
                    seen[witness] = (
                        np.maximum(old[0], found),  # a NaN stays
                        max(old[1], within),
                        old[2] + 1,
                    )
    if not seen:
        return
    terminalreporter.section("largest difference by witness", sep="=")
    width = max(map(len, seen))
    for witness, (found, within, count) in sorted(seen.items()):
        terminalreporter.line(
            f"{witness:<{width}}  {found:8.2g} of {within:8.2g} allowed  "
            f"({count} compared)"
        )
