import pytest

from keras_resnetv2._text import duration, one_line


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0:00"), (83, "1:23"), (3599.7, "1:00:00")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_one_line():
    assert one_line(" a\n\tb\x1b\ud800 c ") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"
