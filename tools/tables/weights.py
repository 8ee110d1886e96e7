"""The table of published weights."""

from keras_resnetv2.models.published import PUBLISHED

_HEAD = """\
| network | `weights=` | test error on the 10,000 | steps | seed | command, \
and --workdir | MB | SHA-256 |
|---|---|---|---|---|---|---|---|
"""


def table() -> str:
    """A row a file."""
    return _HEAD + "".join(map(_row, PUBLISHED))


def _row(row):
    network = row.label if row.options else row.model
    return (
        f"| `{network}` | `{row.tag!r}` | {row.test_error:.2%} "
        f"| {row.steps:,} | {row.seed} | `{row.command}` "
        f"| {row.size / 1e6:.1f}{'' if row.bundled else ', to be downloaded'} "
        f"| `{row.sha256}` |\n"
    )
