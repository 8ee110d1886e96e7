"""tools/report.py as a user runs it."""

import pathlib
import subprocess
import sys

from keras_resnetv2.studies.study import Row, Study
from keras_resnetv2.studies.studydir import Plan, Studydir

ROOT = pathlib.Path(__file__).parents[2]


def report(workdir, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # imported faster
    return subprocess.run(
        [sys.executable, "tools/report.py", f"--workdir={workdir}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_report_of_a_study(tmp_path, monkeypatch):
    row = Row("full", "full", {"paper": 6.37}, "PreActResNet20")
    study = Study("one", "One row", (row,), {"All": ("full",)}, ("paper",))
    Studydir(tmp_path).claim(Plan(study))
    done = report(tmp_path, monkeypatch)
    assert done.returncode == 0, done.stderr
    assert f"Look at {tmp_path}/report.html" in done.stdout
    assert "6.37" in (tmp_path / "report.html").read_text()
    assert "6.37" in (tmp_path / "report.md").read_text()


def test_a_directory_without_a_study_is_one_message(tmp_path, monkeypatch):
    done = report(tmp_path, monkeypatch)
    assert done.returncode == 1
    assert "no study in it" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
