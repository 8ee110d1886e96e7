"""The tables of published weights: this package's, and other projects'."""

from keras_resnetv2._text import markdown_table
from keras_resnetv2.models.configs import call_of
from keras_resnetv2.models.published import PUBLISHED
from keras_resnetv2.models.published_elsewhere import FILES, PROJECTS

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


# What to give as weights=, if it is not a file.
_GIVEN = {
    "keras_applications": "`'imagenet'`",
    "keras_hub": "keras-hub's network",
}
_HEAD_ELSEWHERE = ("network", "`weights=`", "data", "error, %", "file")


def elsewhere() -> str:
    """Returns one row per file of another project."""
    return markdown_table(_HEAD_ELSEWHERE, map(_file, FILES)) + "\n"


def _file(row):
    options = dict(row.options)
    options.pop("classes", None)  # of the data
    label = call_of(row.model, {"reference": row.reference, **options})
    return (
        f"`{label}`",
        _GIVEN.get(row.reference, "the file's path"),
        row.tag,
        "" if row.error is None else f"{row.error:.2f}",
        row.address.replace("https://", ""),
    )


def projects() -> str:
    """Returns one row per other project."""
    rows = (
        (f"`{name}`", row.license, row.errors) for name, row in PROJECTS.items()
    )
    return markdown_table(("project", "license", "errors"), rows) + "\n"
