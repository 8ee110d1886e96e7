"""Commands on networks that come without a work directory."""

import json

import pytest
from processes import run_command

from keras_resnetv2 import ResNetConfig, ResNetV2, load_arrays, save_pretrained
from keras_resnetv2._origin import Origin
from keras_resnetv2.data import STANDARDIZATIONS
from keras_resnetv2.models.network import set_origin

PUBLISHED = ("--model=PreActResNet20", "--weights=cifar10")
FAKE = "--dataset=fake"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    config = ResNetConfig(units_per_stage=(1,), widths=(4,))
    network = ResNetV2(config, input_shape=(8, 8, 3), name="mine")
    names = load_arrays("fake", "test").class_names
    set_origin(network, Origin("old", STANDARDIZATIONS["imagenet"], names))
    return save_pretrained(network, tmp_path_factory.mktemp("shared") / "net")


def test_evaluate_writes_where_it_is_asked_to(shared, tmp_path):
    weights, output = f"--weights={shared}", tmp_path / "new"
    done = run_command(
        "evaluate", weights, FAKE, "--image_size=12", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((output / "evaluation.json").read_text())
    assert result["image_size"] == 12
    assert (
        f"mine with the weights of old on the 128 test images of fake: error "
        f"{result['error']:.2%}, top-5 error"
    ) in done.stdout
    assert f"Errors by class: {output}/classes.csv" in done.stdout


def test_propagation_prints(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_command("propagation", f"--weights={shared}", FAKE, "--images=2")
    assert done.returncode == 0, done.stderr
    assert "Images: 10 classes, 2 of test." in done.stdout
    assert "stage1_unit1" in done.stdout and "Plot" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "tool, args, says",
    [
        ("evaluate", PUBLISHED, "--weights=cifar10 comes without images. Give"),
        ("propagation", ["--weights={shared}"], "Give --dataset: a folder wit"),
        ("evaluate", [FAKE], "received none of them"),
        ("evaluate", ["--weights=cifar10", FAKE], "by --model and --weights,"),
        (
            "evaluate",
            ["--weights={shared}/no", FAKE],
            "existing folder of save",
        ),
        (
            "predict",
            ["--model=ResNet18V2", "--weights={shared}", "{file}"],
            "or by --weights alone if it is a shared network",
        ),
        (
            "evaluate",
            ["--weights={shared}", "--shortcut=conv", FAKE],
            "--shortcut is for --model; the network of --weights=",
        ),
        (
            "propagation",
            ["--workdir={run}", "--shortcut=conv"],
            "the network of --workdir=",
        ),
        ("evaluate", ["--weights={run}", FAKE], "Give it alone, as --workdir="),
        (
            "evaluate",
            ["--model=PreActResNet20", "--weights={file}", FAKE],
            "does not say how its images were standardized",
        ),
        (
            "propagation",
            ["--workdir={run}", "--output={file}"],
            "is a file. Gi",
        ),
        (
            "evaluate",
            ["--weights={shared}", "--split=held_out", FAKE],
            "Only a training holds images out",
        ),
        (
            "evaluate",
            ["--weights={shared}", "--dataset=cifar10_sample"],
            "10 of the 10 classes of 'cifar10_sample' (airplane, automobile, b",
        ),
    ],
)
def test_what_does_not_fit_is_said(tool, args, says, shared, tmp_path, own):
    (tmp_path / "experiment.json").write_text("{}")
    places = {"shared": shared, "run": tmp_path, "file": own}
    done = run_command(tool, *(arg.format(**places) for arg in args))
    assert done.returncode == 1, done.stdout
    [line] = done.stderr.strip().splitlines()
    assert line.startswith(f"{tool}.py: error: ") and says in line


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Weights alone, of a network that was not published."""
    file = tmp_path_factory.mktemp("own") / "own.weights.h5"
    ResNetV2(ResNetConfig(depth=20)).save_weights(file)
    return file
