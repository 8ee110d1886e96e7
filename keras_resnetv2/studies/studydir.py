"""A directory of studies: what lies where, and what was asked for."""

import dataclasses
import json
import os
import pathlib

from keras_resnetv2._checks import check_count
from keras_resnetv2._directories import (
    STUDY,
    check_free,
    check_same,
    refused_unless_settings,
)
from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2._text import brief
from keras_resnetv2.studies.results import (
    Result,
    read_results,
    write_results,
)
from keras_resnetv2.studies.study import Row, Study, run_name
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study as it is run in a directory.

    Attributes:
        study: what is trained.
        epochs: of every run; None for the recipe's length.
        precision: of every run.
        seeds: number of runs a row.

    Raises:
        ValueError: if it cannot be run so; says what is expected.
    """

    study: Study
    epochs: int | None = None
    precision: str = "float32"
    seeds: int = 1

    __repr__ = brief

    def __post_init__(self):
        check_count("seeds", self.seeds)
        self.runs()

    @property
    def length(self) -> int | None:
        """Epochs of every run, the study's own where none were asked for."""
        return self.study.epochs if self.epochs is None else self.epochs

    def experiment(self, row: Row, seed: int) -> Experiment:
        """A run."""
        return self.study.experiment(row, seed, self.epochs, self.precision)

    def runs(self) -> dict[tuple[str, int], Experiment]:
        """All runs by the name of their row and their seed.

        A seed goes through all rows before the next one begins: what there is
        when time runs out can be compared.
        """
        return {
            (row.name, seed): self.experiment(row, seed)
            for seed in range(self.seeds)
            for row in self.study.rows
        }

    def results(self, results: dict[str, Result]) -> dict[str, list[Result]]:
        """The results there are of every row, by its name, in order of seeds.

        Args:
            results: by the names of their runs.
        """
        found = {row.name: [] for row in self.study.rows}
        for (row, _), experiment in self.runs().items():
            if result := results.get(run_name(experiment)):
                found[row].append(result)
        return found


class Studydir:
    """Names of the files of a directory of studies.

    Several studies may share one: a run that two of them have is done once.

    Attributes:
        path: the directory.
        results_file: results.jsonl, a line a run.
        html: report.html.
        markdown: report.md.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = user_path(path)
        self.results_file = self.path / "results.jsonl"
        self.html = self.path / "report.html"
        self.markdown = self.path / "report.md"

    def __repr__(self) -> str:
        """Its path."""
        return f"Studydir({str(self.path)!r})"

    def run(self, name: str) -> Workdir:
        """A run's own work directory, as of any training."""
        return Workdir(self.path / "runs" / name)

    def log(self, name: str) -> pathlib.Path:
        """What a run's process prints."""
        return self.path / "logs" / f"{name}.txt"

    def check(self, plan: Plan) -> Plan | None:
        """Checks that a plan may be run here, and writes nothing.

        Returns:
            The plan of this study as it was begun here, if it was.

        Raises:
            ValueError: if this directory holds something else, or the same
                study with other settings or rows that are left out.
        """
        settings = self._settings(plan.study.name)
        if settings.exists():
            before = self._read(settings)
            _check_same(settings, before, plan)
            return before
        if not self._plans():
            check_free(settings, "directory of studies")
        return None

    def claim(self, plan: Plan) -> None:
        """Writes down a plan that is to be run here.

        A second call may ask for more runs a row, or have more rows; where it
        asks for fewer runs, the plan keeps the larger number.

        Raises:
            ValueError: see `check`.
        """
        if before := self.check(plan):
            seeds = max(plan.seeds, before.seeds)
            plan = dataclasses.replace(plan, seeds=seeds)
        self.path.mkdir(parents=True, exist_ok=True)
        values = dataclasses.asdict(plan)
        write_atomically(
            self._settings(plan.study.name),
            json.dumps(values, indent=1, ensure_ascii=False) + "\n",
        )

    def plans(self) -> list[Plan]:
        """The plans that were begun here, by the names of their studies.

        Raises:
            ValueError: if there is none.
        """
        plans = [self._read(path) for path in self._plans()]
        if not plans:
            raise ValueError(
                f"workdir={str(self.path)!r} has no study in it. Give the "
                "--workdir of keras-resnetv2-ablation."
            )
        return plans

    def results(self) -> dict[str, Result]:
        """The results there are, by the names of their runs."""
        return read_results(self.results_file)

    def write_results(self, results: dict[str, Result]) -> None:
        """Replaces the results."""
        write_results(self.results_file, results.values())

    def _settings(self, name):
        return self.path / STUDY.format(name)

    def _plans(self):
        return sorted(self.path.glob(STUDY.format("*")))

    def _read(self, settings):
        with refused_unless_settings(settings, "study"):
            values = json.loads(settings.read_text("utf-8"))
            return Plan(**{**values, "study": Study.from_json(values["study"])})


def _check_same(settings, before, now):
    """Texts and figures may change, seeds and rows be added."""
    stored, asked = (
        {
            "epochs": plan.length,
            "precision": plan.precision,
            **{
                row.name: run_name(plan.experiment(row, seed=0))
                for row in plan.study.rows
            },
        }
        for plan in (before, now)
    )
    check_same(
        settings, "study", stored, {name: asked.get(name) for name in stored}
    )
