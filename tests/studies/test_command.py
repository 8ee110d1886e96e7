"""The command that a report names."""

import pytest
from report_studies import PLAN

from keras_resnetv2.studies import STUDIES, Plan
from keras_resnetv2.studies.facts import command

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
    assert told == f"tools/ablation.py {expected} --workdir=..."


def test_a_study_of_ones_own_has_none():
    assert command(PLAN, {}) == ""
