import matplotlib
import pytest
from matplotlib.figure import Figure

from keras_resnetv2._plots import draw_epochs
from keras_resnetv2.training import logs

ROW = logs.EpochRow(1, 8, 0.1, 2.5, 0.75, 2.0, 0.5, 100.0, 0.1, 9.0, 1e9)


@pytest.mark.parametrize("tested_on", ["test", "held-out"])
def test_curves_say_what_was_tested_on(tmp_path, tested_on):
    path = tmp_path / "curves.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        logs.plot_curves(path, [ROW], title="net", tested_on=tested_on)
    text = path.read_text()
    for label in (
        "train, last 75",
        "train, last 2.5",
        f"{tested_on}, last 50",
        f"{tested_on}, last 2",
    ):
        assert f">{label}<" in text


def test_a_dollar_in_the_title_is_no_formula(tmp_path):
    path = tmp_path / "curves.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        logs.plot_curves(path, [ROW], title="net ($n_^$)", tested_on="test")
    assert ">net ($n_^$)<" in path.read_text()


def test_epochs_are_whole_and_drops_are_in_the_legend():
    axes = Figure().subplots()
    axes.plot([1, 2, 3], [3, 2, 1], label="test")
    draw_epochs(axes, [1, 2, 3], [0.1, 0.01, 0.001])
    assert all(tick == round(tick) for tick in axes.get_xticks())
    _, labels = axes.get_legend_handles_labels()
    assert labels == ["test", "learning rate drops"]
    upright = [line.get_xdata() for line in axes.lines[1:]]
    assert upright == [[1, 1], [2, 2]]
