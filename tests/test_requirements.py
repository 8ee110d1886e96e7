"""Packages that are missing: what is said, and that nothing has begun."""

import importlib.metadata
import sys

import pytest
from processes import run_forked

from keras_resnetv2 import (
    _requirements,
    analysis,
    data,
    export,
    from_pretrained,
    studies,
    training,
)
from keras_resnetv2.data.image_files import read_image

EXPERIMENT = training.Experiment("PreActResNet20", "fake", epochs=1)
STREAM = {"batch_size": 8, "steps": 1, "standardization": "cifar10"}


# Each call is of arguments that do not fit, either, and ends at once.
def study(name, workdir):
    plan = studies.Plan(studies.STUDIES[name])
    return studies.run_study(plan, workdir, parallel=0)


def search(workdir, **options):
    pytest.importorskip("keras_tuner")
    from keras_resnetv2 import tuning

    options = {"parallel": 0, **options}
    return tuning.search(EXPERIMENT, workdir, **options)


# What is missing, who needs it, the extra.
CALLS = [
    (
        "matplotlib",
        lambda d: training.train(EXPERIMENT, d, checkpoint_steps=0),
        "train",
    ),
    (
        "matplotlib",
        lambda d: study("quick", d),
        "train",
    ),
    ("scipy", lambda d: study("quick", d), "train"),
    ("matplotlib", studies.write_report, "train"),
    ("scipy", studies.write_report, "train"),
    ("matplotlib", lambda d: analysis.plot_propagation({}, d), "train"),
    ("matplotlib", search, "tuner"),
    ("sklearn", lambda d: search(d, tuner="bayesian", parallel=1), "tuner"),
    ("tensorflow", lambda d: data.load_tf_data("fake"), "cpu"),
    (
        "tensorflow",
        lambda d: data.training_batches(data.load_arrays("fake"), **STREAM),
        "cpu",
    ),
    ("tf2onnx", lambda d: export.export_onnx(None, d), "onnx"),
    ("ai_edge_litert", lambda d: export.export_litert(None, d), "litert"),
    (
        "importlib_resources",
        lambda d: study("table1", d),
        "train",
    ),
    ("huggingface_hub", lambda d: from_pretrained("hf://me/net"), "hub"),
]


@pytest.mark.parametrize("missing, call, extra", CALLS)
def test_a_function_says_what_to_install(
    missing, call, extra, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as caught:
        call(tmp_path)
    assert missing in str(caught.value)
    assert 'pip install "keras-resnetv2[' in str(caught.value)
    assert extra in str(caught.value)
    assert not list(tmp_path.iterdir())


COMMAND = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
from keras_resnetv2.cli.{command} import entry_point
sys.argv[0] = "command"
entry_point()
"""
OPTIONAL = [
    name
    for extras in _requirements._NEEDS.values()
    for names in extras.values()
    for name in names
]
FAKE = ("--model=PreActResNet20", "--dataset=fake")
COMMANDS = {
    "train": (*FAKE, "--epochs=1"),
    "ablation": ("--study=quick",),
    "tune": FAKE,
    "evaluate": (),
    "report": (),
    "propagation": (),
    "export": ("--output=served",),
    "prepare_cifar10": (),
}
EXTRAS = {"tune": "tuner", "export": "cpu", "prepare_cifar10": "cpu,train"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_to_install_before_it_begins(command, tmp_path):
    code = COMMAND.format(command=command, missing=OPTIONAL)
    flag = "data_dir" if command == "prepare_cifar10" else "workdir"
    directory = f"--{flag}={tmp_path / 'new'}"
    done = run_forked(code, directory, *COMMANDS[command])
    assert done.returncode == 1
    extra = EXTRAS.get(command, "train")
    assert f'pip install "keras-resnetv2[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert "must come from" not in done.stderr  # no name was given
    assert not (tmp_path / "new").exists()


def test_without_pillow_it_is_not_the_pictures_that_are_wrong(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="PIL"):
        read_image("photo.png")


def test_tensorflow_is_not_asked_for_where_it_is(monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError) as caught:
        data.load_arrays("cifar10")
    assert "needs tensorflow_datasets, which" in str(caught.value)
    assert 'pip install "keras-resnetv2[train]".' in str(caught.value)
    assert "'cifar10_sample'" in str(caught.value)


@pytest.mark.parametrize("who", _requirements._NEEDS)
def test_the_extras_bring_what_is_needed(who, setup_arguments):
    distributions = importlib.metadata.packages_distributions()
    for extra, names in _requirements._NEEDS[who].items():
        brought = [
            one.replace("_", "-")
            for one in setup_arguments["extras_require"][extra]
        ]
        for name in names:
            for distribution in distributions.get(name, ()):
                start = distribution.replace("_", "-")
                assert any(one.startswith(start) for one in brought)
