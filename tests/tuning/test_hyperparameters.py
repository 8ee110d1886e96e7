import pytest

from keras_resnetv2.tuning import parse_setting


@pytest.mark.parametrize(
    "text, value",
    [
        ("depth=20..110", (20, 110)),
        ("gate_bias=-10..-2.5", (-10, -2.5)),
        ("weight_decay=1e-5..1e-3", (1e-5, 1e-3)),
        ("shortcut=identity, conv", ["identity", "conv"]),
        ("shortcut=conv", "conv"),
        ("dimension_change=null", None),
        ("label_smoothing=0.1", 0.1),
        ("label_smoothing=.05,1.", [0.05, 1.0]),
        (" depth = 20 .. 56 ", (20, 56)),
    ],
)
def test_settings_are_read(text, value):
    assert parse_setting(text) == (text.partition("=")[0].strip(), value)


@pytest.mark.parametrize(
    "text",
    [
        "depth",
        "=3",
        "depth=",
        "depth=20..",
        "depth=..3",
        "unit=a,,b",
        "depth=[20,26]",
    ],
)
def test_no_setting(text):
    with pytest.raises(ValueError, match="name=low..high"):
        parse_setting(text)
