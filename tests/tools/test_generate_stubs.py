import dataclasses
from pathlib import Path

import pytest

from keras_resnetv2.models import applications, configs

TOOL = Path(__file__).parents[2] / "tools" / "generate_stubs.py"


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool(TOOL)


def test_the_stubs_are_those_of_now(tool):
    assert not tool["stale"](), "python tools/generate_stubs.py --write"


def test_a_new_network_is_missed_in_both(tool, monkeypatch):
    config = dataclasses.replace(configs.MODELS["PreActResNet20"], depth=26)
    monkeypatch.setitem(configs.MODELS, "PreActResNet26", config)
    builder = applications._named_builder("PreActResNet26")
    monkeypatch.setattr(applications, "PreActResNet26", builder, raising=False)
    names, builders = tool["stale"]().values()
    assert "import PreActResNet26 as PreActResNet26\n" in names
    assert "def PreActResNet26(\n" in builders


def test_a_stub_has_what_a_caller_may_give(tool):
    stub = tool["PACKAGE"] / "models" / "applications.pyi"
    text = stub.read_text("utf-8")
    first = text[text.index("def PreActResNet164(") :]
    first = first[: first.index("...\n")]
    for line in (
        '    name: str = "preactresnet164",\n    *,\n',
        "    input_shape: tuple[int | None, int | None, int] | None = None,\n",
        '    unit: UnitName = "bottleneck",\n',
        "    dimension_change: DimensionChangeName | None = None,\n",
        "    stochastic_depth: float = 0.0,\n",
    ):
        assert line in first
