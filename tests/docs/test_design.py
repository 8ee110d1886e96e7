"""The picture of the house is that of the code."""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[2]


def test_the_floors_are_those_that_lint_checks():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [name for layer in layers for name in re.split(r" [|:] ", layer)]
    packages = [name for name in floors if not name.startswith("_")]
    picture = (ROOT / "docs/images/house.svg").read_text("utf-8")
    drawn = re.findall(r'font-weight="bold"[^>]*>([^<]+)<', picture)
    *above, ground = drawn
    assert above == packages
    assert set(ground.split(", ")) - {"..."} <= set(floors)
