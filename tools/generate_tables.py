"""Prints the generated tables; writes them into the documents with --write."""

import functools
from pathlib import Path

from absl import app, flags
from tables import (
    benchmark,
    formats,
    models,
    options,
    propagation,
    references,
    results,
    weights,
)

_WRITE = flags.DEFINE_bool("write", False, "Write them into the documents.")

ROOT = Path(__file__).parents[1]
_BEGIN = "<!-- tools/generate_tables.py: {} -->\n"
_END = "<!-- end -->\n"
_TABLES = {
    "networks": models.short_table,
    "models": models.table,
    "weights": weights.table,
    "weights_elsewhere": weights.elsewhere,
    "projects": weights.projects,
    "references": references.table,
    "options": options.table,
    "formats": formats.table,
    **{
        name: functools.partial(results.table, name)
        for name in (
            "resnet20-10-epochs",
            "resnet56-4-epochs",
            "quick-164-epochs",
            "recipes_quick",
        )
    },
    "propagation": functools.partial(propagation.table, "resnet56-4-epochs"),
    "benchmark": benchmark.table,
}


def documents() -> list[Path]:
    """Returns the documents that may have a table."""
    docs = (ROOT / "docs").rglob("*.md")
    built = ROOT / "docs" / "_build"
    return [
        ROOT / "README.md",
        *sorted(path for path in docs if built not in path.parents),
    ]


def filled(text: str) -> str:
    """Returns a document's text with its tables updated."""
    for name, table in _TABLES.items():
        before, begin, rest = text.partition(_BEGIN.format(name))
        if begin:
            _, after = rest.split(_END, maxsplit=1)
            text = before + begin + table() + _END + after
    return text


def main(argv):
    """Prints the tables, or writes them into the documents."""
    if not _WRITE.value:
        print("\n".join(table() for table in _TABLES.values()), end="")
        return
    for path in documents():
        path.write_text(filled(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    app.run(main)
