"""It runs, and says what failed. Times are not tested."""

import json
import pathlib
import subprocess
import sys

import pytest

from keras_resnetv2 import ResNetConfig, complexity

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "benchmark.py"


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, TOOL, "--quick", f"--output={folder}", *arguments],
        capture_output=True,
        text=True,
    )


def sides_of(folder, *arguments):
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    [network] = json.loads((folder / "benchmark.json").read_text())["networks"]
    assert (folder / "benchmark.md").read_text() in done.stdout
    assert (folder / "benchmark.png").stat().st_size > 10_000
    return network, network["sides"]


@pytest.mark.parametrize(
    "sides",
    [
        ["keras_resnetv2", "keras"],
        pytest.param(["keras_resnetv2", "jax"], marks=pytest.mark.multiprocess),
        pytest.param(["torch", "keras_resnetv2"], marks=pytest.mark.parity),
    ],
    ids=" and ".join,
)
def test_the_sides_train_the_same_network(sides, tmp_path):
    network, measured = sides_of(tmp_path, f"--sides={','.join(sides)}")
    assert (network["name"], network["depth"]) == ("PreActResNet8", 8)
    assert network["parameters"] == complexity(ResNetConfig(8)).parameters
    assert len(network["losses"]) == 5
    assert 0 < network["loss_difference"] < 1e-4
    assert list(measured) == sides
    for measures in measured.values():
        for measure in measures.values():
            first, *_ = measure["values"]
            assert 0 < measure["lowest"] <= measure["median"]
            assert measure["lowest"] <= first
            assert ("of_torch" in measure) == ("torch" in sides)


def fake_python(path, run):
    path.write_text(f'#!/bin/sh\ntest "$1" = -c || {run}\n')
    path.chmod(0o700)
    return "--sides=torch", "--repeats=2", f"--torch_python={path}"


def test_a_side_that_fails_is_told(tmp_path):
    flags = fake_python(tmp_path / "python", "kill -9 $$")
    _, sides = sides_of(tmp_path, *flags)
    reason = "killed; was there enough memory?"
    assert sides == {"torch": {"failure": reason}}
    table = (tmp_path / "benchmark.md").read_text()
    assert f"| PreActResNet8, 4 | torch | {reason} |" in table


def test_other_losses_are_refused(tmp_path):
    result = '{"versions": {}, "parameters": 7, "losses": [\'$(ls | wc -l)\']}'
    command = f"{{ cd {tmp_path}; mktemp -p .; echo '{result}'; }}"
    done = run(tmp_path, *fake_python(tmp_path / "python", command))
    assert done.returncode == 1
    assert "torch trains another network" in done.stderr
    assert "7 parameters and the losses [3]; expected 7 and [2]" in done.stderr


@pytest.mark.parametrize(
    "flag, told",
    [
        ("--models=PreActResNet20", "such as PreActResNet20:128"),
        ("--models=PreActResNet21:4", "Nearest: 20 or 26"),
        ("--models=ResNet51V2:4", "expected one of PreActResNet20"),
        ("--sides=tpu", "expected some of keras_resnetv2,keras,torch"),
        ("--torch_python=/none", "that can import torch and numpy; [Errno 2]"),
    ],
)
def test_a_wrong_flag_is_told(flag, told, tmp_path):
    done = run(tmp_path / "new", flag)
    assert done.returncode == 1 and told in done.stderr
    assert not (tmp_path / "new").exists()
