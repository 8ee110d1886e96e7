import pytest

from keras_resnetv2.tuning.distributed import role

NAMES = (
    "KERASTUNER_ORACLE_IP",
    "KERASTUNER_ORACLE_PORT",
    "KERASTUNER_TUNER_ID",
)


@pytest.fixture
def set_variables(monkeypatch):
    def set_all(*values):
        for name, value in zip(NAMES, values, strict=True):
            monkeypatch.setenv(name, value)

    return set_all


@pytest.mark.parametrize(
    "values, expected",
    [
        (("", "", ""), None),
        (("127.0.0.1", "8000", "chief"), "chief"),
        (("127.0.0.1", "8000", "my-chief-0"), "chief"),
        (("host.example", "65535", "worker0"), "worker"),
    ],
)
def test_the_environment_says_the_role(set_variables, values, expected):
    set_variables(*values)
    assert role() == expected


@pytest.mark.parametrize(
    "values, says",
    [
        (("", "8000", "chief"), "KERASTUNER_ORACLE_IP .* is not set"),
        (("127.0.0.1", "", "chief"), "KERASTUNER_ORACLE_PORT .* is not set"),
        (("127.0.0.1", "8000", ""), "KERASTUNER_TUNER_ID .* is not set"),
        (("127.0.0.1", "http", "chief"), "received 'http'"),
        (("127.0.0.1", "65536", "chief"), "1 to 65535"),
        (("127.0.0.1", "-1", "chief"), "1 to 65535"),
    ],
)
def test_what_is_missing_or_malformed_is_named(set_variables, values, says):
    set_variables(*values)
    with pytest.raises(ValueError, match=says):
        role()
