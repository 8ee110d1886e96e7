"""README, code and results say the same."""

import dataclasses
import runpy
import shutil
from pathlib import Path

import pytest

from keras_resnetv2 import MODELS, ResNetConfig
from keras_resnetv2.models import published
from keras_resnetv2.studies import Studydir

TOOL = Path(__file__).parents[2] / "tools" / "model_table.py"


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(TOOL.parent)  # as Python does for a script
        yield runpy.run_path(str(TOOL))


def test_the_readme_has_the_table_of_now(tool):
    readme = tool["README"].read_text("utf-8")
    assert tool["filled"](readme) == readme, (
        "README.md is behind: python tools/model_table.py --write"
    )


def test_weights_more_are_missed_in_the_readme(tool, monkeypatch):
    row = dataclasses.replace(
        published.PUBLISHED[0], options={"depth": 26}, bundled=False
    )
    monkeypatch.setattr("tables.weights.PUBLISHED", (row,))
    readme = tool["README"].read_text("utf-8")
    filled = tool["filled"](readme)
    [new] = set(filled.splitlines()) - set(readme.splitlines())
    assert new.startswith("| `PreActResNet20(depth=26)` | `'cifar10'` | 8.01% ")
    assert "1.3, to be downloaded | `edf511b3" in new


def test_a_model_more_is_missed_in_the_readme(tool, monkeypatch):
    monkeypatch.setitem(MODELS, "PreActResNet26", ResNetConfig(depth=26))
    readme = tool["README"].read_text("utf-8")
    filled = tool["filled"](readme)
    [row] = set(filled.splitlines()) - set(readme.splitlines())
    assert row.startswith(
        "| `PreActResNet26` | 26 | basic | 32 | **366,938** |"
    )


def test_another_result_is_missed_in_the_readme(tool, monkeypatch, tmp_path):
    from tables import results

    shutil.copytree(results.RESULTS, tmp_path, dirs_exist_ok=True)
    directory = Studydir(tmp_path)
    found = directory.results()
    [run] = [run for run in found if "shortcut=dropout" in run]
    found[run] = dataclasses.replace(found[run], last=0.1234)
    directory.write_results(found)
    monkeypatch.setattr("tables.results.RESULTS", tmp_path)
    readme = tool["README"].read_text("utf-8")
    [row] = set(tool["filled"](readme).splitlines()) - set(readme.splitlines())
    assert row.startswith("| dropout 0.5 | 12.34 |")
