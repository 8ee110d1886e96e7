"""Flags and --config, in one process of their own: flags are global."""

import dataclasses
import json

import keras
import pytest
from processes import run_python

from keras_resnetv2.training import Experiment

PARSE = """
import dataclasses, json, sys
from absl import flags
from keras_resnetv2.cli import experiment_flags, train

defaults = {f.name: f.default for f in experiment_flags._FIELD_FLAGS}
results = []
for line in json.loads(sys.argv[1]):
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    flags.FLAGS(["train", "--workdir=w", *line])
    try:
        experiment = experiment_flags.read_experiment()
        results.append(dataclasses.asdict(experiment))
    except ValueError as error:
        results.append(str(error))
print(json.dumps([defaults, results]))
"""
CONFIG = {
    "model": "PreActResNet20",
    "dataset": "fake",
    "epochs": 7,
    "seed": 5,
    "precision": "mixed_bfloat16",
    "deterministic": True,
    "options": {"shortcut": "exclusive_gating", "gate_bias": -3.0},
}
LINES = {
    "as it is": [],
    "replaced": [
        "--model=PreActResNet32",
        "--seed=0",  # the flag's default, but given
        "--nodeterministic",
        "--held_out=0.1",
        "--gate_bias=-6",
        "--unit=single",
    ],
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configs")
    config, part = folder / "config.json", folder / "part.json"
    config.write_text(json.dumps(CONFIG))
    part.write_text('{"dataset": "fake"}')
    stored = folder / "experiment.json"
    whole = Experiment("PreActResNet20", "fake", epochs=7, mixup=0.4)
    stored.write_text(json.dumps({"experiment": dataclasses.asdict(whole)}))
    lines = {
        **{key: [f"--config={config}", *line] for key, line in LINES.items()},
        "flags alone": ["--model=PreActResNet20", "--dataset=fake"],
        "completed": [f"--config={part}", "--model=PreActResNet20"],
        "another recipe": [f"--config={stored}", "--recipe=modern"],
        "no dataset": ["--model=PreActResNet20"],
        "nothing": [],
        "no model": [f"--config={part}"],
        "empty name": ["--config="],
    }
    printed = run_python(
        PARSE,
        json.dumps(list(lines.values())),
        backend=keras.backend.backend(),
    )
    defaults, results = json.loads(printed)
    return {"defaults": defaults, **dict(zip(lines, results))}


def test_the_file_alone(parsed):
    assert CONFIG.items() <= parsed["as it is"].items()


def test_flags_replace_what_the_file_says(parsed):
    expected = {
        "model": "PreActResNet32",
        "dataset": "fake",
        "epochs": 7,
        "seed": 0,
        "precision": "mixed_bfloat16",
        "deterministic": False,
        "held_out": 0.1,
        "options": {
            "shortcut": "exclusive_gating",
            "gate_bias": -6.0,
            "unit": "single",
        },
    }
    assert expected.items() <= parsed["replaced"].items()


def test_another_recipe_replaces_the_settings_of_the_files(parsed):
    modern = Experiment(
        "PreActResNet20", "fake", recipe="modern", epochs=7, mixup=0.4
    )
    assert modern.cutmix and modern.schedule == "cosine"
    assert parsed["another recipe"] == dataclasses.asdict(modern)


def test_the_flags_that_help_shows_are_the_experiments_defaults(parsed):
    experiment = parsed["flags alone"]
    assert parsed["completed"] == experiment
    shown = {k: v for k, v in parsed["defaults"].items() if v is not None}
    assert shown.keys() >= {"recipe", "precision", "seed"}
    assert shown.items() <= experiment.items()


@pytest.mark.parametrize(
    "line, says",
    [
        ("nothing", "--model and --dataset must be given, or a --config"),
        ("no dataset", "--dataset must be given, or a --config"),
        ("no model", "--model must be given, or a --config"),
        ("empty name", "cannot be read"),
    ],
)
def test_what_is_missing_is_said(parsed, line, says):
    assert says in parsed[line]
