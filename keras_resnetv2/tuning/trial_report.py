"""The report of a search: trials.csv, trials.md and trials.png."""

import math
import os
from collections.abc import Sequence

from keras_resnetv2._checks import check_count
from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import (
    csv_table,
    duration,
    escape_markdown,
    markdown_table,
    one_line,
)
from keras_resnetv2.tuning.trial_plot import plot_trials
from keras_resnetv2.tuning.trials import (
    FIELDS,
    STATUSES,
    TrialRow,
    best,
    millions,
    percent,
    ranked,
    value_text,
)


def trials_csv(rows: Sequence[TrialRow]) -> str:
    """Writes attributes and hyper-parameters as CSV columns, unrounded.

    Args:
        rows: the trials.

    Returns:
        A header, and one line per trial in the given order. A cell is empty if
        its value is unknown or does not apply. Texts are put on one line.
    """
    fixed = [name for name in FIELDS if name not in ("values", "reason")]
    names = [*fixed, *_hyper_parameters(rows), "reason"]
    cells = (vars(row) | row.values for row in rows)
    return csv_table(
        names, ([_cell(row.get(name)) for name in names] for row in cells)
    )


def trials_markdown(
    rows: Sequence[TrialRow], title: str, held_out_images: int
) -> str:
    """Writes the trials by error, with the best in bold and failures last.

    Hyper-parameters with the same value in every trial are listed once.

    Args:
        rows: the trials, in the order in which they were started.
        title: the heading.
        held_out_images: number of images on which the error is measured.
    """
    names = _hyper_parameters(rows)
    fixed = [name for name in names if _is_fixed(rows, name)]
    varied = [name for name in names if name not in fixed]
    counts = {
        status: [row.status for row in rows].count(status)
        for status in ("completed", "failed", "running")
    }
    trials = "trial" if len(rows) == 1 else "trials"
    blocks = [
        f"# {escape_markdown(title)}",
        f"{len(rows)} {trials}: "
        + ", ".join(f"{n} {status}" for status, n in counts.items())
        + ".",
    ]
    if counts["completed"]:
        blocks.append(
            f"Errors are on {held_out_images:,} held-out images, ± binomial "
            "standard error. The lowest of many is an optimistic estimate; the "
            "test set, read once, gives a fair one."
        )
    if fixed:
        told = (f"{name}={value_text(rows[0].values[name])}" for name in fixed)
        blocks.append(
            f"The same in every trial: {', '.join(map(escape_markdown, told))}."
        )
    if rows:
        blocks.append(_table(rows, varied, held_out_images))
    return "\n\n".join(blocks) + "\n"


def _cell(value):
    return one_line(value) if isinstance(value, str) else value


def _hyper_parameters(rows):
    return list(dict.fromkeys(name for row in rows for name in row.values))


def _is_fixed(rows, name):
    # Differences in further digits are not visible in a column.
    texts = {
        value_text(row.values[name], digits=6) if name in row.values else None
        for row in rows
    }
    return len(texts) == 1


def _table(rows, varied, held_out_images):
    with_times = any(row.seconds is not None for row in rows)
    with_reasons = any(row.reason for row in rows)
    head = {  # column -> whether it is aligned to the right
        "trial": False,
        "status": False,
        "error": True,
        "parameters": True,
        "multiply-adds": True,
        "epochs": True,
        **({"time": True} if with_times else {}),
        **dict.fromkeys(map(escape_markdown, varied), False),
        **({"reason": False} if with_reasons else {}),
    }
    lines = []
    winner = best(rows)
    for row in _sorted(rows):
        cells = [
            row.trial,
            row.status,
            _error(row.error, held_out_images),
            _known(row.parameters, millions),
            _known(row.multiply_adds, millions),
            str(row.epochs),
            *([_known(row.seconds, duration)] if with_times else []),
            *(
                value_text(row.values[name]) if name in row.values else ""
                for name in varied
            ),
            *([one_line(row.reason or "", 200)] if with_reasons else []),
        ]
        cells = [escape_markdown(cell) for cell in cells]
        if row is winner:
            cells = [cell and f"**{cell}**" for cell in cells]
        lines.append(cells)
    return markdown_table(list(head), lines, list(head.values()))


def _sorted(rows):
    others = sorted(
        (row for row in rows if row.status != "completed"),
        key=lambda row: STATUSES.index(row.status),
    )
    return ranked(rows) + others


def _error(error, images):
    if error is None:
        return ""
    deviation = math.sqrt(error * (1 - error) / images)
    return f"{percent(error)} ± {percent(deviation)}"


def _known(number, write):
    return "" if number is None else write(number)


def write_report(
    directory: str | os.PathLike,
    rows: Sequence[TrialRow],
    *,
    title: str,
    held_out_images: int,
) -> None:
    """Writes trials.csv, trials.md and trials.png, each atomically.

    Args:
        directory: directory for the files; created if missing. An earlier
            report there is replaced.
        rows: the trials, in the order in which they were started; may be empty.
        title: title of the table and the plots.
        held_out_images: number of images on which the errors are measured.

    Raises:
        ImportError: if matplotlib is missing; says what to install.
        ValueError: if there are no held-out images.
    """
    check_installed("A plot")
    check_count("held_out_images", held_out_images)
    directory = user_path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / "trials.csv", trials_csv(rows))
    write_atomically(
        directory / "trials.md", trials_markdown(rows, title, held_out_images)
    )
    plot_trials(directory / "trials.png", rows, title)
