"""How a study was run, in a line, and what that line means for a reader."""

import math
from collections.abc import Iterable, Sequence

from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.studydir import Plan
from keras_resnetv2.training.recipes import find_recipe

_PUBLISHED_ON = {"cifar10", "cifar100"}


def schedule_line(plan: Plan, results: Iterable[Sequence[Result]]) -> str:
    """Length, precision and number of runs: what the head of a table says.

    Args:
        plan: the study.
        results: the runs of each of the table's rows.

    Returns:
        "10 epochs, 3,910 steps of 128, mixed_bfloat16, 1 run a row". The steps
        are those of the runs there are.
    """
    results = list(results)
    schedules = [result.schedule for runs in results for result in runs]
    epochs = sorted({s["epochs"] for s in schedules}) or [
        math.ceil(_epochs(plan))
    ]
    steps = sorted({(s["steps"], s["batch_size"]) for s in schedules})
    parts = [f"{' or '.join(map(str, epochs))} epochs"]
    if steps:
        parts.append(" or ".join(f"{n:,} steps of {size}" for n, size in steps))
    return ", ".join([*parts, plan.precision, _runs(results)])


def cautions(plan: Plan) -> list[str]:
    """Why the study's errors are not to be held against the published ones."""
    study = plan.study
    full = find_recipe(study.recipe).epochs
    found = []
    if is_shortened(plan):
        found.append(
            f"A shortened schedule: {_epochs(plan):g} of the {full:.0f} epochs "
            f"of the recipe {study.recipe!r}. The published errors are of full "
            "trainings: compare these rows with each other, not with them."
        )
    others = {row.dataset for row in study.rows} - _PUBLISHED_ON
    if others:
        found.append(
            f"Trained and tested on {', '.join(sorted(others))}, not on the "
            "data of the published errors: no comparison with them means "
            "anything."
        )
    return found


def is_shortened(plan: Plan) -> bool:
    """Whether a study's runs are shorter than its recipe's."""
    return _epochs(plan) < find_recipe(plan.study.recipe).epochs


def _epochs(plan):
    recipe = find_recipe(plan.study.recipe)
    return recipe.epochs if plan.length is None else plan.length


def _runs(results):
    counts = [len(runs) for runs in results]
    low, high = min(counts), max(counts)
    if not high:
        return "no run yet"
    number = str(high) if low == high else f"{low} to {high}"
    return f"{number} run{'s' * (high > 1)} a row"
