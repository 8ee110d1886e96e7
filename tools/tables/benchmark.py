"""The table of training speed and memory, from results/benchmark/."""

import json
from pathlib import Path

from keras_resnetv2._text import escape_markdown, markdown_table

RESULTS = Path(__file__).parents[2] / "results" / "benchmark"

# Title of a column -> the measure.
_COLUMNS = {
    "step, ms": "step_ms",
    "step, CPU ms": "step_cpu_ms",
    "first step, s": "first_step_s",
    "first step, CPU s": "first_step_cpu_s",
    "memory, GB": "memory_gb",
}


def table() -> str:
    """Returns the table of the measurement in results/."""
    report = json.loads((RESULTS / "benchmark.json").read_text("utf-8"))
    return table_of(report)


def table_of(report: dict) -> str:
    """Returns where and when it was measured, and a row per network and side.

    Args:
        report: the content of a benchmark.json.
    """
    versions = ", ".join(
        f"{name} {version}" for name, version in report["versions"].items()
    )
    differences = (
        f"{network['loss_difference']:.0e} ({network['name']})"
        for network in report["networks"]
    )
    rows = [
        (f"{network['name']}, {network['batch_size']}", side, *_cells(measured))
        for network in report["networks"]
        for side, measured in network["sides"].items()
    ]
    head = ("network, images a step", "side", *_COLUMNS)
    blocks = [
        f"{report['machine']}, {report['date']}, {report['precision']}; "
        f"{versions}:",
        f"    {report['command']}",
        markdown_table(head, rows, [False] * 2 + [True] * len(_COLUMNS)),
        "The lowest and, in parentheses, the median of all processes; then the "
        "lowest relative to PyTorch's. "
        "Largest relative difference of the first losses: "
        f"{', '.join(differences)}.",
    ]
    return "\n\n".join(blocks) + "\n"


def _cells(measured):
    if reason := measured.get("failure"):
        return (escape_markdown(reason), *[""] * (len(_COLUMNS) - 1))
    return (_cell(measured[measure]) for measure in _COLUMNS.values())


def _cell(numbers):
    text = f"{_digits(numbers['lowest'])} ({_digits(numbers['median'])})"
    if "of_torch" not in numbers:
        return text
    return f"{text} {numbers['of_torch']:.2f}x"


def _digits(number):
    """Writes three digits, more of numbers above 1000."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
