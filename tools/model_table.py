"""Prints the README's table of models; puts it there with --write."""

import dataclasses
from pathlib import Path

from absl import app, flags

from keras_resnetv2 import MODELS, complexity
from keras_resnetv2.models.units import UNITS

_WRITE = flags.DEFINE_bool("write", False, "Put it into the README.")

README = Path(__file__).parents[1] / "README.md"
_BEGIN, _END = "<!-- tools/model_table.py -->\n", "<!-- end -->\n"
_HEAD = """\
| model | layers | unit | input | option A | option B | 10⁶ multiply-adds | \
MB of activations | the paper's error |
|---|---|---|---|---|---|---|---|---|
"""
_PAPERS_ERRORS = {
    "PreActResNet110": "6.37",
    "PreActResNet164": "5.46",
    "PreActResNet1001": "4.92",
    "ResNet152V2": "21.1",
    "ResNet200V2": "20.7",
}


def filled(text: str) -> str:
    """Returns the README's text with the table of now in its place."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    rows = (_row(name, config) for name, config in MODELS.items())
    return before + _BEGIN + _HEAD + "".join(rows) + _END + after


def _row(name, config):
    a, b = (_parameters(config, option) for option in ("padding", "projection"))
    layers = sum(config.units) * len(UNITS[config.unit]) + 2
    count = complexity(config)
    megabytes = 4 * count.activations / 1e6  # float32
    return (
        f"| `{name}` | {layers} | {config.unit} | {config.input_size} "
        f"| {a} | {b} | {count.multiply_adds / 1e6:,.1f} | {megabytes:.1f} "
        f"| {_PAPERS_ERRORS.get(name, '')} |\n"
    )


def _parameters(config, option):
    count = complexity(dataclasses.replace(config, dimension_change=option))
    bold = "**" if option == config.bridge else ""
    return f"{bold}{count.parameters:,}{bold}"


def main(argv):
    """Prints the table, or writes it into the README."""
    text = filled(README.read_text("utf-8"))
    if _WRITE.value:
        README.write_text(text, "utf-8")
    else:
        print(text.split(_BEGIN)[1].split(_END)[0], end="")


if __name__ == "__main__":
    app.run(main)
