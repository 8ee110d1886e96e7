"""The table of a study's results, from results/."""

from pathlib import Path

from keras_resnetv2.studies import Studydir
from keras_resnetv2.studies.report import captioned_table
from keras_resnetv2.studies.sections import schedule_line
from keras_resnetv2.studies.tables import comparison_table

RESULTS = Path(__file__).parents[2] / "results"


def table(name: str) -> str:
    """Returns all rows of a study, below a line with runs and schedule.

    Args:
        name: a directory of results/.
    """
    directory = Studydir(RESULTS / name)
    [plan] = directory.plans()
    results = plan.results(directory.results())
    caption = f"Test error (%), {schedule_line(plan, results.values())}"
    rows = comparison_table(plan.study, list(results), results, caption)
    return captioned_table(rows) + "\n"
