"""results/ holds runs, and the reports that are made of them."""

import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from keras_resnetv2.models import downloads
from keras_resnetv2.models.published import PUBLISHED
from keras_resnetv2.studies import Studydir
from keras_resnetv2.studies.report import write_report
from keras_resnetv2.studies.study import run_name
from keras_resnetv2.training import Experiment

RESULTS = Path(__file__).parents[2] / "results"
DIRECTORIES = sorted(path.parent for path in RESULTS.glob("*/results.jsonl"))


@pytest.mark.parametrize("path", DIRECTORIES, ids=lambda path: path.name)
def test_the_report_is_of_these_results(path, tmp_path, monkeypatch):
    # Plots are not compared: their bytes are those of a version of matplotlib.
    monkeypatch.setattr(
        Figure, "savefig", lambda self, file, **kwargs: file.write("plot")
    )
    for file in ("results.jsonl", *(one.name for one in path.glob("study-*"))):
        shutil.copy(path / file, tmp_path)
    write_report(tmp_path)
    assert (tmp_path / "report.md").read_text("utf-8") == (
        path / "report.md"
    ).read_text("utf-8"), (
        f"python tools/report.py --workdir=results/{path.name}"
    )
    assert (tmp_path / "report.html").stat().st_size > 5_000


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.file)
def test_published_weights_are_of_a_run_that_is_told(row):
    runs = [
        result
        for path in DIRECTORIES
        for result in Studydir(path).results().values()
        if (result.experiment["model"], result.experiment["options"])
        == (row.model, dict(row.options))
        and (result.seed, result.schedule["steps"]) == (row.seed, row.steps)
    ]
    [result] = runs
    # The one in float32, from the file; the other in the training's precision.
    assert abs(result.last - row.test_error) < 0.002
    size = (downloads._BUNDLED / row.file).stat().st_size
    assert not row.bundled or size == row.size


@pytest.mark.parametrize("path", DIRECTORIES, ids=lambda path: path.name)
def test_the_runs_are_the_shipped_studies(path):
    """As they are now: not of rows that have been changed since."""
    from keras_resnetv2.studies import STUDIES

    directory = Studydir(path)
    results = directory.results()
    for plan in directory.plans():
        assert plan.study == STUDIES[plan.study.name]
    for name, result in results.items():
        assert run_name(Experiment(**result.experiment)) == name
        if result.status == "completed":
            assert len(result.test_error) == result.schedule["epochs"]
            assert result.last == result.test_error[-1]
        else:
            assert (result.status, result.last) == ("diverged", None)
