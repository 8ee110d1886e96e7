"""--help, --version, and what is said of words that belong to no flag."""

import pkgutil
import re

import pytest
from processes import run_command, run_forked

import keras_resnetv2
from keras_resnetv2 import cli

COMMANDS = [
    module.name
    for module in pkgutil.iter_modules(cli.__path__)
    if module.name != "common" and not module.name.endswith("_flags")
]
RUN = """
import importlib, sys
sys.argv = sys.argv[1:]
name = sys.argv[0].rpartition("keras-resnetv2-")[2].replace("-", "_")
importlib.import_module("keras_resnetv2.cli." + name).entry_point()
"""


def installed(command):
    return f"keras-resnetv2-{command.replace('_', '-')}"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_by_the_name_that_was_called(command):
    done = run_command(command, "--help")
    assert done.returncode == 0 and not done.stderr
    assert f"tools/{command}.py" in done.stdout
    assert "keras-resnetv2-" not in done.stdout

    done = run_forked(RUN, f"/bin/{installed(command)}", "-h")
    assert done.returncode == 0 and not done.stderr
    assert f"\n{installed(command)}" in done.stdout
    assert "tools/" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    # Flags are listed once, and none's text refers to another's.
    named = re.findall(r"^  (--\S+)", done.stdout, re.M)
    assert len(named) == len(set(named)) > 2
    assert "ikewise" not in done.stdout
    # absl's words, and those of other commands' directories.
    assert "repeat this option" not in done.stdout
    [directory] = re.findall(r"--workdir=TEXT.*\n +(.*)", done.stdout) or [""]
    kinds = re.findall("training|search|studies", directory)
    assert len(kinds) == (command != "prepare_cifar10")


def test_help_groups_the_flags_and_lists_values_and_defaults():
    text = run_command("train", "--help").stdout
    lines = [line for line in text.splitlines() if line[:1] not in ("", " ")]
    assert lines[-4:] == [
        "Flags:",
        "Flags of the experiment:",
        "Flags of the network; defaults are the model's:",
        "Others:",
    ]
    flags = ["workdir", "model", "recipe", "epochs", "unit", "verbosity"]
    places = [text.index(f"\n  --{flag}=") for flag in flags]
    assert places == sorted(places)  # as they are defined
    assert "  --workdir=TEXT (required)\n" in text
    words = " ".join(text.split())
    assert "One of paper, torch, imagenet, modern, " in words
    assert ", ".join(keras_resnetv2.MODELS) in words
    assert "--data_dir" not in run_command("report", "--help").stdout


def test_the_version_is_printed():
    done = run_command("report", "--version")
    assert done.stdout == f"keras-resnetv2 {keras_resnetv2.__version__}\n"
    assert done.returncode == 0


CLOSED = """
import os, sys
os.close(2)
sys.stderr = None
from keras_resnetv2._tensorflow_start import known_lines_dropped
from keras_resnetv2.cli import common

def main(argv):
    with known_lines_dropped():
        os.write(2, b"lost")
    print("done", open(os.devnull).fileno() > 2)

sys.argv = ["command"]
common.entry_point(main)()
"""


def test_a_closed_standard_error_stops_nothing():
    done = run_forked(CLOSED)
    assert (done.returncode, done.stdout) == (0, "done True\n")


PARSE = r"""
import importlib, shlex, sys
from absl import flags
module = importlib.import_module("keras_resnetv2.cli." + sys.argv[1])
for line in module.__doc__.replace("\\\n", "").splitlines():
    if line.startswith("keras-resnetv2-"):
        command, *words = shlex.split(line)
        flags.FLAGS.unparse_flags()
        values = flags.FLAGS([command, *words])[1:]
        assert not values or sys.argv[1] == "predict"
        print(command)
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_are_of_flags_that_there_are(command):
    done = run_forked(PARSE, command)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {installed(command)}


@pytest.mark.parametrize(
    "command, words, says",
    [
        ("train", ["PreActResNet20"], "--model=PreActResNet20"),
        ("train", ["--model=PreActResNet20", "fake"], "--dataset=fake"),
        ("ablation", ["table1"], "--study=table1"),
        ("evaluate", ["runs/resnet20"], "--workdir=runs/resnet20"),
        ("train", ["--modle=PreActResNet20"], "Did you mean: model"),
        ("prepare_cifar10", ["x.tgz"], "'x.tgz' has no flag before it.\n"),
        ("report", [], "--workdir must be given"),
        ("report", ["--data_dir=x"], "Unknown command line flag 'data_dir'"),
    ],
)
def test_what_is_no_flag_is_answered(command, words, says):
    done = run_command(command, *words)
    assert done.returncode == 1
    assert says in done.stderr and "--help" in done.stderr
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import sys
from keras_resnetv2.cli import common

def main(argv):
    raise KeyboardInterrupt

resumes = sys.argv.pop() == "True"
common.entry_point(main, resumes=resumes)()
"""


@pytest.mark.parametrize(
    "resumes, more", [(True, " The same command resumes it"), (False, "\n")]
)
def test_ctrl_c_ends_with_the_shells_status(resumes, more):
    done = run_forked(INTERRUPTED, resumes)
    assert done.returncode == 130
    assert done.stderr.startswith(f"Interrupted.{more}")
    assert "Traceback" not in done.stderr
