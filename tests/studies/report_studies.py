"""A small study, and results of it as trainings would leave them."""

import dataclasses

import numpy as np

from keras_resnetv2.studies.plan import Plan
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.study import FAIL, Row, Study, run_name
from keras_resnetv2.studies.studydir import Studydir


def row(name, label, published, **options):
    options = {"activation_order": "original", **options}
    return Row(name, label, published, "PreActResNet20", options)


STUDY = Study(
    name="small",
    title="ResNet-20, shortcuts & orders",
    rows=(
        row("original", "original", {"paper": 6.61, "a <study>": 8.56}),
        row(
            "conv",
            "1x1 conv",
            {"paper": 12.22, "a <study>": 8.43},
            shortcut="conv",
        ),
        row("dropout", "dropout *0.5*", {"paper": FAIL}, shortcut="dropout"),
        row(
            "full",
            "full <pre-activation> | ours",
            {"paper": 6.37, "a <study>": 8.08},
            activation_order="full_preactivation",
        ),
    ),
    tables={
        "Shortcuts": ("original", "conv", "dropout"),
        "All": ("original", "conv", "dropout", "full"),
    },
    sources=("paper", "a <study>"),
    notes=("A note of <one> sentence.",),
)
PLAN = Plan(STUDY, epochs=4, seeds=1)


def curve(last, epochs=4):
    """Falls from 0.5 to `last`."""
    return np.linspace(0.5, last, epochs).round(6).tolist()


def result(plan, name, seed, last, train=0.15, epochs=4, **fields):
    """A run's result.

    Args:
        plan: the study.
        name: of the row.
        seed: of the run.
        last: the last epoch's test error, a fraction; None for one that
            diverged after two epochs.
        train: the last epoch's train error.
        epochs: of the training.
        **fields: replace those of the Result.
    """
    experiment = plan.experiment(plan.study.row(name), seed)
    done = 2 if last is None else epochs
    test = curve(0.6 if last is None else last, done)
    values = {
        "run": run_name(experiment),
        "status": "diverged" if last is None else "completed",
        "reason": "loss is nan at step 800" if last is None else None,
        "seed": seed,
        "experiment": dataclasses.asdict(experiment),
        "config": dataclasses.asdict(experiment.config()),
        "schedule": {
            "recipe": "paper",
            "steps": 391 * epochs,
            "epochs": epochs,
            "batch_size": 128,
            "learning_rate": 0.1,
            "rates": ([0.1] * (epochs // 2) + [0.01] * epochs)[:done],
        },
        "train_error": curve(train, done),
        "test_error": test,
        "last": last,
        "best": min(test),
        "seconds": 60.0 * done,
        "finished": f"2025-11-2{seed}T10:00:00+00:00",
        "versions": {"keras": "3.15.1", "backend": "jax", "jax": "0.5.0"},
        "device": "NVIDIA H200",
    }
    return Result(**{**values, **fields})


def results(plan, errors, **fields):
    """Results by run name of a row's name to its runs' errors."""
    made = (
        result(plan, name, seed, last, **fields)
        for name, row_errors in errors.items()
        for seed, last in enumerate(row_errors)
    )
    return {each.run: each for each in made}


def studydir(path, *plans_and_results):
    """A directory of studies: pairs of a plan and its results."""
    directory, found = Studydir(path), {}
    for plan, of_plan in plans_and_results:
        directory.claim(plan)
        found |= of_plan
    if found:
        directory.add(*found.values())
    return directory
