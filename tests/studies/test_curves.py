import xml.etree.ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from report_studies import PLAN, result

from keras_resnetv2.studies.curves import error_curves


def run(seed, test, **fields):
    last = None if fields.get("status") == "diverged" else test[-1]
    values = {"test_error": test, "train_error": test, **fields}
    return result(PLAN, "original", seed, last, **values)


DIVERGED = run(2, [0.9], status="diverged")
ROWS = [
    (
        "a <b> $\\frac$",
        [
            run(0, [0.4, 0.2, 0.1, 0.0]),
            run(1, [0.6, 0.4, 0.1, 0.1]),
            run(2, [0.9, 0.4, 0.1, 0.1]),
        ],
    ),
    ("most diverged", [run(0, [0.5, 0.5]), DIVERGED, DIVERGED]),
    ("no run", []),
]


@pytest.fixture
def drawn(monkeypatch):
    """The axes of what is saved."""
    saved, save = [], Figure.savefig

    def savefig(figure, *args, **kwargs):
        saved.extend(figure.axes)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return saved


def test_the_band_of_one_that_diverged_reaches_to_the_top(drawn):
    error_curves(
        [("row", [run(0, [0.3, 0.2]), run(1, [0.3, 0.2]), DIVERGED])], "test"
    )
    [axes] = drawn
    [outline] = (band.get_paths()[0] for band in axes.collections)
    corners = set(map(tuple, outline.vertices.round(6).tolist()))
    assert {(1, 30), (1, 90), (2, 20), (2, 100)} <= corners


def test_the_legend_has_the_tables_number():
    svg = error_curves([("never wrong", [run(0, [0.1, 0.0])])], "test")
    assert "<!-- 0.00  never wrong -->" in svg


def test_the_median_with_a_band_behind(drawn, agree):
    error_curves(ROWS, "test")
    [axes] = drawn
    median, cut_off, drop = axes.get_lines()
    agree(
        "median curve, by hand",
        median.get_ydata(),
        [60, 40, 10, 10],
        within=1e-9,
    )
    np.testing.assert_array_equal(cut_off.get_xdata(), [1])
    assert drop.get_xdata()[0] == 2
    [outline, _] = (band.get_paths()[0] for band in axes.collections)
    # No zero on a logarithmic axis.
    assert {(1, 40), (1, 90), (4, 0.01), (4, 10)} <= set(
        map(tuple, outline.vertices.round(6).tolist())
    )


def test_an_svg_that_is_the_same_every_time():
    svg = error_curves(ROWS, "train")
    assert svg == error_curves(ROWS, "train")
    assert xml.etree.ElementTree.fromstring(svg).tag.endswith("svg")
    # Texts are outlines, with themselves in a comment.
    assert "<!-- 10.00  a &lt;b&gt; $\\frac$ -->" in svg
    assert "<!-- fail  most diverged -->" in svg
    assert "<!-- train error (%) -->" in svg
    assert "no run" not in svg and "<text" not in svg


def test_without_an_epoch_there_is_no_picture():
    assert error_curves([("no run", [])], "test") is None
    at_once = run(0, [], status="diverged", best=None)
    assert error_curves([("at once", [at_once])], "test") is None
