"""The tables of networks."""

import dataclasses

from keras_resnetv2 import MODELS, complexity
from keras_resnetv2._text import markdown_table

_HEAD = (
    "model",
    "layers",
    "unit",
    "input",
    "option A",
    "option B",
    "10⁶ multiply-adds",
    "MB of activations",
    "the paper's error",
)
_PAPERS_ERRORS = {
    "PreActResNet110": "6.37",
    "PreActResNet164": "5.46",
    "PreActResNet1001": "4.92",
    "ResNet152V2": "21.1",
    "ResNet200V2": "20.7",
}


def table() -> str:
    """Returns one row per model, with its counts."""
    rows = (_row(name, config) for name, config in MODELS.items())
    return markdown_table(_HEAD, rows) + "\n"


def short_table() -> str:
    """Returns one row per model, with what matters for choosing one."""
    head = ("network", "layers", "parameters", "input", "the paper's error")
    rows = (
        (
            f"`{name}`",
            f"{config.layers}",
            f"{complexity(config).parameters:,}",
            f"{config.input_size}",
            _PAPERS_ERRORS.get(name, ""),
        )
        for name, config in MODELS.items()
    )
    return markdown_table(head, rows) + "\n"


def _row(name, config):
    a, b = (_parameters(config, option) for option in ("padding", "projection"))
    count = complexity(config)
    megabytes = 4 * count.activations / 1e6  # float32
    return (
        f"`{name}`",
        f"{config.layers}",
        config.unit,
        f"{config.input_size}",
        a,
        b,
        f"{count.multiply_adds / 1e6:,.1f}",
        f"{megabytes:.1f}",
        _PAPERS_ERRORS.get(name, ""),
    )


def _parameters(config, option):
    count = complexity(dataclasses.replace(config, dimension_change=option))
    bold = "**" if option == config.effective_dimension_change else ""
    return f"{bold}{count.parameters:,}{bold}"
