import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from keras_resnetv2.analysis import (
    Propagation,
    UnitRow,
    plot_propagation,
    propagation_plot,
)

ROW = UnitRow(
    unit="",
    shortcut="identity",
    dimension_change="",
    signal=4.0,
    residual=2.0,
    forward_gap=1e-7,
    numpy_difference=1e-7,
    factor=1.0,
    product=1.0,
    gradient=3.0,
    direct=2.0,
    rest=1.0,
    cancelled=0.25,
)


def measured(units, **values):
    rows = tuple(
        dataclasses.replace(ROW, unit=f"stage{s}_unit{u}", **values)
        for s, u in itertools.product((1, 2), range(1, units + 1))
    )
    return Propagation("net", 8, True, rows, last_signal=5, last_gradient=4)


def test_a_line_a_network_in_each_panel(tmp_path):
    nets = {"short": measured(2), "long": measured(3, gradient=8.0)}
    figure = plot_propagation(nets, tmp_path / "plot.png", title="two nets")
    panels = figure.axes
    assert len(panels) == len(propagation_plot.PANELS) == 6
    assert Image.open(tmp_path / "plot.png").format == "PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    gradient = panels[4]
    short, long, *stages = gradient.get_lines()
    np.testing.assert_array_equal(short.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(short.get_ydata(), [0.75] * 4)
    np.testing.assert_array_equal(long.get_ydata(), [2.0] * 6)
    assert [line.get_xdata()[0] for line in stages] == [3.5]
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["short", "long"]


def test_names_are_no_formulas(tmp_path):
    names = ["$n_^$", "_net"]
    nets = dict.fromkeys(names, measured(1))
    path = tmp_path / "plot.png"
    figure = plot_propagation(nets, path, panels=("signal",), title="$_$")
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert figure.axes[0].title.get_parse_math()
    assert path.exists()


def test_what_is_too_small_for_a_logarithm_is_said():
    nets = {"plain": measured(2, product=0.0), "identity": measured(2)}
    (product,) = plot_propagation(nets, panels=("product",)).axes
    low, _ = product.get_lines()[:2]
    assert low.get_ydata().tolist() == [1e-20] * 4
    [note] = product.texts
    assert note.get_text() == "lowest: 1e-20 or less"
    (signal,) = plot_propagation(nets, panels=("signal",)).axes
    assert not signal.texts
    whole = measured(1, product=0.0)
    unknown = dataclasses.replace(whole.rows[1], product=float("nan"))
    whole = dataclasses.replace(whole, rows=(whole.rows[0], unknown))
    (product,) = plot_propagation(whole, panels=("product",)).axes
    assert product.texts


def test_the_sign_of_a_product_is_left_out():
    alone = measured(1, product=-0.5)
    (product,) = plot_propagation(alone, panels=("product",)).axes
    assert product.get_lines()[0].get_ydata().tolist() == [0.5] * 2
    assert not product.texts


def test_eleven_lines_can_be_told_apart():
    nets = {str(i): measured(1) for i in range(11)}
    (axes,) = plot_propagation(nets, panels=("signal",)).axes
    lines = axes.get_lines()[:11]
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == 11


@pytest.mark.parametrize(
    "nets,panels",
    [({}, ("signal",)), ({"a": None}, ("noise",)), ({"a": None}, ())],
)
def test_nothing_to_draw_is_refused(nets, panels):
    with pytest.raises(ValueError, match="are signal, forward_gap, product"):
        plot_propagation(nets, panels=panels)
