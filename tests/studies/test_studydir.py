"""What lies in a directory of studies, and which others are refused."""

import dataclasses
import json

import pytest
from small_study import PLAN, TINY, FakeTrainings, row

from keras_resnetv2.studies import Studydir, run_study


@pytest.fixture
def directory(tmp_path):
    directory = Studydir(tmp_path / "studies")
    directory.claim(PLAN)
    return directory


def test_a_plan_is_read_back(directory):
    assert directory.plans() == [PLAN]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"epochs": 2}, "epochs: 3 there, 2 asked for"),
        ({"precision": "float64"}, "precision: 'float32' there"),
        (
            {"study": dataclasses.replace(TINY, recipe="torch")},
            "good: 'PreAct.* there, 'PreAct.*recipe=torch.* asked for",
        ),
    ],
)
def test_other_trainings_are_refused(directory, changes, message):
    with pytest.raises(ValueError, match=message):
        directory.claim(dataclasses.replace(PLAN, **changes))
    assert directory.plans() == [PLAN]


def test_texts_may_change_and_rows_be_added(directory):
    study = dataclasses.replace(
        TINY, title="Another", rows=(*TINY.rows, row("third"))
    )
    directory.claim(dataclasses.replace(PLAN, study=study))
    assert directory.plans()[0].study == study


def test_saying_the_default_is_no_difference(directory):
    directory.claim(dataclasses.replace(PLAN, epochs=3))


def test_rows_are_not_left_out(directory):
    study = dataclasses.replace(TINY, rows=TINY.rows[:1], tables={})
    with pytest.raises(ValueError, match="exploding: 'PreAct.* None asked for"):
        directory.claim(dataclasses.replace(PLAN, study=study))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"seeds": 0}, "seeds .* at least 1; received 0"),
        ({"epochs": 0}, "epochs must be"),
        ({"precision": "float8"}, "Unknown precision: received 'float8'"),
    ],
)
def test_what_cannot_be_run_is_no_plan(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAN, **changes)


def test_a_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="neither empty nor.*of a study"):
        Studydir(tmp_path).claim(PLAN)
    with pytest.raises(ValueError, match="no study in it. Give the --workdir"):
        Studydir(tmp_path).plans()


@pytest.mark.parametrize("text", ["{", "[]", '{"study": {}}', '{"study": 3}'])
def test_a_damaged_plan_is_refused(directory, text):
    (directory.path / "study-tiny.json").write_text(text)
    with pytest.raises(
        ValueError, match="cannot be read as the settings of a study"
    ):
        directory.plans()


def test_a_damaged_result_is_named_by_its_line(directory, monkeypatch):
    FakeTrainings(monkeypatch)
    run_study(PLAN, directory.path)
    lines = directory.results_file.read_text().splitlines()
    assert len(lines) == 2 and json.loads(lines[1])["seed"] == 0
    first = json.loads(lines[1])
    for damaged in (
        *("{", "3", '{"run": "x"}', "\xff"),
        json.dumps(first | {"last": "x"}),
        json.dumps(first | {"last": None}),
        json.dumps(first | {"test_error": None}),
        json.dumps(first | {"schedule": {}}),
        json.dumps(first | {"train_error": []}),
        json.dumps(first | {"status": "done"}),
    ):
        directory.results_file.write_text(
            f"{lines[0]}\n{damaged}\n", encoding="latin-1"
        )
        with pytest.raises(ValueError, match="line 2, is not a run's result"):
            directory.results()
    # Without the line, the run's own directory has it again.
    directory.results_file.write_text(lines[0] + "\n\n")
    run_study(PLAN, directory.path)
    assert directory.results_file.read_text().splitlines() == lines
