"""README and code say the same of the networks."""

import runpy
from pathlib import Path

import pytest

from keras_resnetv2 import MODELS, ResNetConfig

TOOL = Path(__file__).parents[2] / "tools" / "model_table.py"


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(TOOL))


def test_the_readme_has_the_table_of_now(tool):
    readme = tool["README"].read_text("utf-8")
    assert tool["filled"](readme) == readme, (
        "README.md is behind: python tools/model_table.py --write"
    )


def test_a_model_more_is_missed_in_the_readme(tool, monkeypatch):
    monkeypatch.setitem(MODELS, "PreActResNet26", ResNetConfig(depth=26))
    readme = tool["README"].read_text("utf-8")
    filled = tool["filled"](readme)
    [row] = set(filled.splitlines()) - set(readme.splitlines())
    assert row.startswith(
        "| `PreActResNet26` | 26 | basic | 32 | **366,938** |"
    )
