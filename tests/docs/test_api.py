"""The API's pages have every public name once, and no other."""

import importlib
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
API = ROOT / "docs/api"
ENTRY = re.compile(r"^\.\. (?:auto\w+|py:(?:data|function)):: (\S+)", re.M)


def public_names():
    package = importlib.import_module("keras_resnetv2")
    yield package.__name__
    for name in package.__all__:
        full_name = f"{package.__name__}.{name}"
        yield full_name
        if (ROOT / "keras_resnetv2" / name).is_dir():
            for inner in importlib.import_module(full_name).__all__:
                yield f"{full_name}.{inner}"


def documented_names():
    for page in API.glob("*.rst"):
        module, *_ = names = ENTRY.findall(page.read_text())
        for name in names:
            is_full = name.split(".")[0] == "keras_resnetv2"
            yield name if is_full else f"{module}.{name}"


def test_every_public_name_is_documented_once():
    assert sorted(documented_names()) == sorted(public_names())


def test_every_command_is_documented_once():
    shown = re.findall(
        r"^```\{command-help\} (\S+)$", (API / "commands.md").read_text(), re.M
    )
    commands = [
        f"keras-resnetv2-{path.stem.replace('_', '-')}"
        for path in (ROOT / "keras_resnetv2/cli").glob("*.py")
        if "\nentry_point = " in path.read_text()
    ]
    assert sorted(shown) == sorted(commands)
