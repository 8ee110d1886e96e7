"""Documents, code and results say the same."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from keras_resnetv2 import MODELS, ResNetConfig
from keras_resnetv2.models import published
from keras_resnetv2.studies import Studydir

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "generate_tables.py"


@pytest.fixture(scope="module")
def tool(load_tool):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(TOOL.parent)  # as Python does for a script
        yield load_tool(TOOL)


def new_lines(tool):
    """What --write would put into the documents."""
    return [
        line
        for path in tool["documents"]()
        for text in [path.read_text("utf-8")]
        for line in set(tool["filled"](text).splitlines())
        - set(text.splitlines())
    ]


def test_the_documents_have_the_tables_of_now(tool):
    assert new_lines(tool) == [], "python tools/generate_tables.py --write"
    texts = [path.read_text("utf-8") for path in tool["documents"]()]
    for name in tool["_TABLES"]:
        begin = tool["_BEGIN"].format(name)
        assert sum(begin in text for text in texts) == 1, name


def test_weights_more_are_missed(tool, monkeypatch):
    row = dataclasses.replace(
        published.PUBLISHED[0], options={"depth": 26}, bundled=False
    )
    monkeypatch.setattr("tables.weights.PUBLISHED", (row,))
    [new] = new_lines(tool)
    assert new.startswith("| `PreActResNet20(depth=26)` | `'cifar10'` | 8.01% ")
    assert "1.3, to be downloaded | `edf511b3" in new


def test_a_model_more_is_missed(tool, monkeypatch):
    monkeypatch.setitem(MODELS, "PreActResNet26", ResNetConfig(depth=26))
    short, row = new_lines(tool)
    assert short == "| `PreActResNet26` | 26 | 366,938 | 32 |  |"
    assert row.startswith(
        "| `PreActResNet26` | 26 | basic | 32 | **366,938** |"
    )


def test_another_result_is_missed(tool, monkeypatch, tmp_path):
    from tables import results

    shutil.copytree(results.RESULTS, tmp_path, dirs_exist_ok=True)
    directory = Studydir(tmp_path / "resnet20-10-epochs")
    found = directory.results()
    runs = [run for run in found if "shortcut=dropout" in run]
    directory.add(
        *(dataclasses.replace(found[run], last=0.1234) for run in runs)
    )
    monkeypatch.setattr("tables.results.RESULTS", tmp_path)
    [row] = new_lines(tool)
    assert row.startswith(f"| dropout 0.5 | {len(runs)} | 12.34 |")


def test_measurements_are_read_as_they_were_written(tool):
    from tables import propagation

    found = propagation.measured("resnet56-4-epochs")
    folder = ROOT / "results" / "resnet56-4-epochs" / "propagation"
    for whole in found.values():
        text = (folder / f"{whole.model}.csv").read_text()
        assert whole.csv() == text
    assert {whole.model for whole in found.values()} == {
        path.stem for path in folder.glob("*.csv")
    }
    labels = [label.split(": ")[-1] for label in found]
    assert labels == ["45.04", "54.70", "56.50", "55.33", "fail"]
