"""The report of a search: its table, for programs and people, and its plots."""

import os
import pathlib
from collections.abc import Sequence

from keras_resnetv2._files import write_atomically
from keras_resnetv2.tuning.trial_plot import plot_trials
from keras_resnetv2.tuning.trial_tables import csv_table, markdown_table
from keras_resnetv2.tuning.trials import TrialRow


def write_report(
    directory: str | os.PathLike,
    rows: Sequence[TrialRow],
    *,
    title: str,
    held_out_images: int,
) -> None:
    """Writes trials.csv, trials.md and trials.png, each whole or not at all.

    Args:
        directory: where to; made if it is missing. An earlier report there is
            replaced.
        rows: the trials, in the order in which they were started; may be empty.
        title: of the table and the plots.
        held_out_images: number of images that the errors are measured on.

    Raises:
        ValueError: if there are no held-out images.
    """
    if held_out_images < 1:
        raise ValueError(
            "held_out_images is the number of images that the trials are "
            f"judged on, 1 or more; received {held_out_images!r}."
        )
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / "trials.csv", csv_table(rows))
    write_atomically(
        directory / "trials.md", markdown_table(rows, title, held_out_images)
    )
    plot_trials(directory / "trials.png", rows, title)
