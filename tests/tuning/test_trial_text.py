import pytest
from trial_rows import completed, failed

from keras_resnetv2.tuning.trial_text import millions, summary_line


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
