"""Lists type stubs that do not match `MODELS`; updates them with --write."""

import inspect
import sys
import types
import typing
from pathlib import Path

from absl import app, flags

from keras_resnetv2._standardization import Standardization
from keras_resnetv2.models import applications, configs

_WRITE = flags.DEFINE_bool("write", False, "Bring the stubs up to date.")

PACKAGE = Path(__file__).parents[1] / "keras_resnetv2"
_BEGIN = "# tools/generate_stubs.py: the rest of the file\n"
_ALIASES = {
    kind: name
    for name, kind in vars(configs).items()
    if typing.get_origin(kind) is typing.Literal
}
_HEAD = """# Written by tools/generate_stubs.py from MODELS and ResNetConfig.

from typing import Any

import keras

from keras_resnetv2._standardization import Standardization
from keras_resnetv2.models.configs import (
{aliases}
)
"""


def stale() -> dict[Path, str]:
    """Returns the outdated stubs, with the text they should have."""
    names = PACKAGE / "__init__.pyi"
    stubs = {
        names: _with_builders(names.read_text("utf-8")),
        PACKAGE / "models" / "applications.pyi": _applications(),
    }
    return {
        path: text
        for path, text in stubs.items()
        if not path.exists() or path.read_text("utf-8") != text
    }


def _with_builders(text):
    by_hand, _ = text.split(_BEGIN)
    rows = (
        f"from .models.applications import {name} as {name}\n"
        for name in configs.MODELS
    )
    return by_hand + _BEGIN + "".join(rows)


def _applications():
    functions = "".join(
        _function(name, inspect.signature(getattr(applications, name)))
        for name in configs.MODELS
    )
    used = sorted(name for name in _ALIASES.values() if name in functions)
    aliases = "\n".join(f"    {name}," for name in used)
    return _HEAD.format(aliases=aliases) + "\n" + functions


def _function(name, signature):
    lines = []
    for parameter in signature.parameters.values():
        keyword_only = parameter.kind == parameter.KEYWORD_ONLY
        if keyword_only and "    *," not in lines:
            lines.append("    *,")
        default = parameter.default
        default = f'"{default}"' if isinstance(default, str) else repr(default)
        kind = _written(parameter.annotation)
        lines.append(f"    {parameter.name}: {kind} = {default},")
    return "\n".join([f"def {name}(", *lines, ") -> keras.Model: ...\n"])


def _written(kind):
    if kind in _ALIASES:
        return _ALIASES[kind]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " | ".join(map(_written, typing.get_args(kind)))
    if kind is types.NoneType:
        return "None"
    return inspect.formatannotation(kind, Standardization.__module__)


def main(argv):
    """Writes the outdated stubs, or lists them and fails."""
    behind = stale()
    if _WRITE.value:
        for path, text in behind.items():
            path.write_text(text, "utf-8")
    elif behind:
        names = ", ".join(str(path.relative_to(PACKAGE)) for path in behind)
        sys.exit(
            f"Outdated: {names}. Run: python tools/generate_stubs.py --write"
        )


if __name__ == "__main__":
    app.run(main)
