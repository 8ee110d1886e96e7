"""Prints the README's generated tables; puts them there with --write."""

from pathlib import Path

from absl import app, flags
from tables import formats, models, options, results, weights

_WRITE = flags.DEFINE_bool("write", False, "Put them into the README.")

README = Path(__file__).parents[1] / "README.md"
_END = "<!-- end -->\n"
_TABLES = {
    "<!-- tools/model_table.py: models -->\n": models.table,
    "<!-- tools/model_table.py: weights -->\n": weights.table,
    "<!-- tools/model_table.py: options -->\n": options.table,
    "<!-- tools/model_table.py: formats -->\n": formats.table,
    "<!-- tools/model_table.py: results -->\n": results.table,
}


def filled(text: str) -> str:
    """Returns the README's text with the tables of now in their places."""
    for begin, table in _TABLES.items():
        before, rest = text.split(begin)
        _, after = rest.split(_END, maxsplit=1)
        text = before + begin + table() + _END + after
    return text


def main(argv):
    """Prints the tables, or writes them into the README."""
    text = filled(README.read_text("utf-8"))
    if _WRITE.value:
        README.write_text(text, "utf-8")
    else:
        print("\n".join(table() for table in _TABLES.values()), end="")


if __name__ == "__main__":
    app.run(main)
