import dataclasses

import pytest
from report_studies import PLAN, STUDY, result

from keras_resnetv2.studies import STUDIES, Plan
from keras_resnetv2.studies.sections import cautions, command, schedule_line


def test_length_precision_and_runs():
    runs = [result(PLAN, "original", seed, 0.1) for seed in range(3)]
    assert schedule_line(PLAN, [runs, runs]) == (
        "4 epochs, 1,564 steps of 128, float32, 3 runs per row"
    )
    assert schedule_line(PLAN, [runs[:1]]).endswith(", 1 run per row")
    assert schedule_line(PLAN, [runs, []]).endswith(", 0 to 3 runs per row")


def test_batch_sizes_that_differ():
    one = result(PLAN, "original", 0, 0.1)
    half = {**one.schedule, "steps": 2 * 1564, "batch_size": 64}
    other = dataclasses.replace(one, schedule=half)
    assert schedule_line(PLAN, [[one], [other]]).startswith(
        "4 epochs, 1,564 steps of 128 or 3,128 steps of 64, "
    )


def test_before_the_first_run():
    assert schedule_line(PLAN, [[], []]) == "4 epochs, float32, no run yet"
    full = dataclasses.replace(PLAN, epochs=None)
    assert schedule_line(full, [[]]).startswith("164 epochs, ")


@pytest.mark.parametrize("epochs, is_short", [(4, True), (None, False)])
def test_a_shortened_schedule_is_said(epochs, is_short):
    plan = dataclasses.replace(PLAN, epochs=epochs)
    of_study = dataclasses.replace(STUDY, epochs=epochs)
    for each in (plan, dataclasses.replace(PLAN, study=of_study, epochs=None)):
        said = cautions(each)
        assert len(said) == is_short
        assert all("4 of the 164 epochs" in text for text in said)


def test_other_data_are_said():
    rows = [dataclasses.replace(row, dataset="fake") for row in STUDY.rows]
    study = dataclasses.replace(STUDY, rows=tuple(rows))
    [said] = cautions(dataclasses.replace(PLAN, study=study, epochs=None))
    assert "on fake, not on" in said


QUICK = STUDIES["quick"]


@pytest.mark.parametrize(
    "changes, done, expected",
    [
        ({}, [], "--study=quick --seeds=1"),
        ({}, [row.name for row in QUICK.rows], "--study=quick --seeds=1"),
        (
            {"seeds": 3, "epochs": 2, "precision": "float64"},
            ["original", "conv"],
            "--study=quick --epochs=2 --seeds=3 --rows=original,conv "
            "--precision=float64",
        ),
    ],
)
def test_it_has_what_the_results_depend_on(changes, done, expected):
    results = {row.name: [row] * (row.name in done) for row in QUICK.rows}
    told = command(Plan(QUICK, **changes), results)
    assert told == f"keras-resnetv2-ablation {expected} --workdir=..."


def test_a_study_of_ones_own_has_none():
    assert command(PLAN, {}) == ""
