"""A directory of studies: its files."""

import contextlib
import dataclasses
import json
import os
import pathlib
import threading

from keras_resnetv2._directories import (
    STUDY,
    check_free,
    check_same,
    locked,
    refused_unless_settings,
)
from keras_resnetv2._files import user_path, write_json
from keras_resnetv2.studies.plan import Plan
from keras_resnetv2.studies.results import (
    Result,
    read_results,
    write_results,
)
from keras_resnetv2.studies.study import Study, check_run_names, run_name
from keras_resnetv2.training.workdir import Workdir

# Writing takes moments. Version 0.1.0 locks the directory for a whole study.
_WAIT = 60


class Studydir:
    """The files of a directory of studies.

    Several studies may share a directory. A run that two of them share is done
    once.

    Attributes:
        path: the directory.
        results_file: results.jsonl, one line per run.
        html: report.html.
        markdown: report.md.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = user_path(path)
        self.results_file = self.path / "results.jsonl"
        self.html = self.path / "report.html"
        self.markdown = self.path / "report.md"
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Its path."""
        return f"Studydir({str(self.path)!r})"

    def run(self, name: str) -> Workdir:
        """Returns the work directory of a run."""
        return Workdir(self.path / "runs" / name)

    def log(self, name: str) -> pathlib.Path:
        """Returns the file with the output of a run's process."""
        return self.path / "logs" / f"{name}.txt"

    def check(self, plan: Plan) -> Plan | None:
        """Checks that a plan may be run here, without writing anything.

        Returns:
            The plan with which this study was begun here, or None.

        Raises:
            ValueError: if this directory contains something else, or the same
                study with other settings or with rows that the plan lacks, or
                another study with a run of the same name.
        """
        plans = {path: self._read(path) for path in self._plans()}
        check_run_names(
            run
            for one in (*plans.values(), plan)
            for run in one.runs().values()
        )
        settings = self._settings(plan.study.name)
        if before := plans.get(settings):
            _check_same(settings, before, plan)
            return before
        if not plans:
            check_free(settings, "study")
        return None

    def claim(self, plan: Plan) -> None:
        """Saves a plan that is to be run here.

        A later call may have more runs per row, or more rows. If it has fewer
        runs per row, the plan keeps the larger number.

        Raises:
            LockedError: if another process keeps the directory locked.
            ValueError: see `check`.
        """
        self.check(plan)  # without making the directory
        with self._alone():
            if before := self.check(plan):
                seeds = max(plan.seeds, before.seeds)
                plan = dataclasses.replace(plan, seeds=seeds)
            write_json(
                self._settings(plan.study.name), dataclasses.asdict(plan)
            )

    def plans(self) -> list[Plan]:
        """Returns the plans that were begun here, sorted by study name.

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
        """Returns the existing results by run name."""
        return read_results(self.results_file)

    def add(self, *added: Result) -> None:
        """Adds results to those that are there, and writes all of them."""
        with self._alone():
            results = self.results() | {result.run: result for result in added}
            write_results(self.results_file, results.values())

    def claimed(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Context in which a run is this process's own.

        Raises:
            LockedError: if it is another process's.
        """
        # The training itself locks the run's directory. It may outlive its
        # parent by a step.
        return locked(self.run(name).path, file=".claim")

    @contextlib.contextmanager
    def _alone(self):
        """Context in which only this thread writes results and settings."""
        # On NFS a lock is the whole process's.
        with self._lock, locked(self.path, wait=_WAIT):
            yield

    def _settings(self, name):
        return self.path / STUDY.format(name)

    def _plans(self):
        return sorted(self.path.glob(STUDY.format("*")))

    def _read(self, settings):
        with refused_unless_settings(settings, "study"):
            values = json.loads(settings.read_text("utf-8"))
            return Plan(**{**values, "study": Study.from_json(values["study"])})


def _check_same(settings, before, now):
    """Allows changed texts and figures, and added seeds and rows."""
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
