"""tools/report.py as a user runs it."""

from processes import run_command

from keras_resnetv2.studies.plan import Plan
from keras_resnetv2.studies.study import Row, Study
from keras_resnetv2.studies.studydir import Studydir


def test_the_report_of_a_study(tmp_path):
    row = Row("full", "full", {"paper": 6.37}, "PreActResNet20")
    study = Study("one", "One row", (row,), {"All": ("full",)}, ("paper",))
    Studydir(tmp_path).claim(Plan(study))
    done = run_command("report", f"--workdir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert f"Report: {tmp_path}/report.html" in done.stdout
    assert "6.37" in (tmp_path / "report.html").read_text()
    assert "6.37" in (tmp_path / "report.md").read_text()


def test_a_directory_without_a_study_is_one_message(tmp_path):
    done = run_command("report", f"--workdir={tmp_path}")
    assert done.returncode == 1
    assert "no study in it" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
