"""The table of a study's results, from results/."""

from pathlib import Path

from keras_resnetv2.studies import Plan, Result, Studydir
from keras_resnetv2.studies.report import captioned_table
from keras_resnetv2.studies.sections import schedule_line
from keras_resnetv2.studies.tables import comparison_table

RESULTS = Path(__file__).parents[2] / "results"


def table(name: str) -> str:
    """Returns the rows that were run, below a line with runs and schedule.

    Args:
        name: a directory of results/.
    """
    _, plan, results = read(name)
    results = {row: runs for row, runs in results.items() if runs}
    caption = f"Test error (%), {schedule_line(plan, results.values())}"
    rows = comparison_table(plan.study, list(results), results, caption)
    return captioned_table(rows) + "\n"


def read(name: str) -> tuple[Studydir, Plan, dict[str, list[Result]]]:
    """Returns a directory of results/, its plan, and its results by row."""
    directory = Studydir(RESULTS / name)
    [plan] = directory.plans()
    return directory, plan, plan.results(directory.results())
