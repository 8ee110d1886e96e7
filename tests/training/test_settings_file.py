import dataclasses
import json

import pytest
from small_training import experiment

from keras_resnetv2.training import Experiment, read_settings

SETTINGS = experiment(
    options={"depth": 8, "widths": (4, 8, 16)},
    held_out=0.1,
    learning_rate=1.0,
)


@pytest.mark.parametrize("wrapped", [False, True])
def test_settings_come_back(tmp_path, wrapped):
    fields = dataclasses.asdict(SETTINGS)
    values = {"experiment": fields, "data": {}} if wrapped else fields
    path = tmp_path / "best.json"
    path.write_text(json.dumps(values))
    assert Experiment(**read_settings(path)) == SETTINGS


def test_a_part_of_the_settings(tmp_path):
    path = tmp_path / "part.json"
    # A whole number is a number.
    path.write_text('{"weight_decay": 0, "epochs": null}')
    assert read_settings(path) == {"weight_decay": 0, "epochs": None}


@pytest.mark.parametrize(
    "content, says",
    [
        (b'{"model": ', "cannot be read .JSONDecodeError.*experiment.json"),
        (b"\xf7\x80", "cannot be read .UnicodeDecodeError"),
        (b"[1]", "must be an object like"),
        (b'{"experiment": null}', "must be an object like"),
        (b'{"depth": 20, "modle": 1}', "settings: depth, modle;.*held_out"),
        (b'{"model": 20}', "model=20 has the wrong type; expected str"),
        (b'{"epochs": 1.5}', "epochs=1.5 has .*expected int . None"),
        (b'{"options": null}', "options=None has .*; expected dict"),
        (b'{"held_out": "0.1"}', "held_out='0.1' has .*expected float . None"),
    ],
)
def test_a_bad_file_says_what_to_do(tmp_path, content, says):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"bad.json.*{says}"):
        read_settings(path)


def test_a_missing_file_says_what_to_do(tmp_path):
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(ValueError, match="cannot be read.*Give a JSON"):
            read_settings(path)
