"""The table of published weights."""

from keras_resnetv2._text import markdown_table
from keras_resnetv2.models.published import PUBLISHED

_HEAD = (
    "network",
    "`weights=`",
    "error on the 10,000 test images",
    "steps",
    "seed",
    "command (add --workdir)",
    "MB",
    "SHA-256",
)


def table() -> str:
    """Returns one row per file."""
    return markdown_table(_HEAD, map(_row, PUBLISHED)) + "\n"


def _row(row):
    network = row.label if row.options else row.model
    return (
        f"`{network}`",
        f"`{row.tag!r}`",
        f"{row.test_error:.2%}",
        f"{row.steps:,}",
        f"{row.seed}",
        f"`{row.command}`",
        f"{row.size / 1e6:.1f}{'' if row.bundled else ', to be downloaded'}",
        f"`{row.sha256}`",
    )
