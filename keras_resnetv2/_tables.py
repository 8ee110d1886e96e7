"""Tables as Markdown, which people read, and CSV, which programs read."""

import csv
import io
from collections.abc import Iterable, Sequence


def markdown_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[bool] | None = None,
) -> str:
    """Writes a table as Markdown.

    Args:
        head: of the columns.
        rows: the cells of each row, written as they are: see
            `escape_markdown`.
        right: whether a column stands on the right; None for none.

    Returns:
        A line each for the head, the sides and the rows, without a last line
        break.
    """
    right = right or [False] * len(head)
    sides = ["---:" if one else "---" for one in right]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, sides, *rows))


def csv_table(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Writes a table as CSV; None is an empty cell.

    Args:
        head: of the columns.
        rows: the values of each row.

    Returns:
        A line each for the head and the rows.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue()
