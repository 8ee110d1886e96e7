"""A plan: a study, and how it is run."""

import dataclasses

from keras_resnetv2._checks import check_count
from keras_resnetv2._text import brief
from keras_resnetv2.studies.results import Result
from keras_resnetv2.studies.study import (
    Row,
    Study,
    check_run_names,
    run_name,
)
from keras_resnetv2.training.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study, and how it is run.

    Attributes:
        study: the study.
        epochs: epochs of every run; None for the study's own length.
        precision: precision of every run.
        seeds: number of runs per row.

    Raises:
        ValueError: if a value is invalid; says what is expected.
    """

    study: Study
    epochs: int | None = None
    precision: str = "float32"
    seeds: int = 1

    __repr__ = brief

    def __post_init__(self):
        check_count("seeds", self.seeds)
        check_run_names(self.runs().values())

    @property
    def length(self) -> int | None:
        """Epochs of every run; the study's own if the plan sets none."""
        return self.study.epochs if self.epochs is None else self.epochs

    def experiment(self, row: Row, seed: int) -> Experiment:
        """Returns the experiment of a run."""
        return self.study.experiment(row, seed, self.epochs, self.precision)

    def runs(self) -> dict[tuple[str, int], Experiment]:
        """Returns all runs by row name and seed.

        All rows are run with one seed before the next seed begins. So the runs
        are comparable whenever time runs out.
        """
        return {
            (row.name, seed): self.experiment(row, seed)
            for seed in range(self.seeds)
            for row in self.study.rows
        }

    def results(self, results: dict[str, Result]) -> dict[str, list[Result]]:
        """Returns the existing results by row name, in the order of seeds.

        Args:
            results: results by run name.
        """
        found = {row.name: [] for row in self.study.rows}
        for (row, _), experiment in self.runs().items():
            if result := results.get(run_name(experiment)):
                found[row].append(result)
        return found
