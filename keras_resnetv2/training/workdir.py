"""A training's work directory: its files, and checks that it is one."""

import dataclasses
import json
import os
import platform

import keras
import numpy
from absl import logging

from keras_resnetv2._directories import (
    TRAINING,
    check_free,
    check_same,
    refused_unless_settings,
)
from keras_resnetv2._files import (
    absolute_path,
    replacing,
    user_path,
    write_json,
)
from keras_resnetv2._version import __version__
from keras_resnetv2.training import devices
from keras_resnetv2.training.data_facts import DataFacts
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.networks import network_config
from keras_resnetv2.training.settings_file import experiment_fields

# Settings that may differ between sessions: what a training runs on.
_MAY_CHANGE = ("replicas", "remat")


class Workdir:
    """The files of a training.

    Attributes:
        path: the directory.
        settings: experiment.json, the whole configuration.
        metrics: metrics.csv, one row per epoch.
        curves: curves.png.
        tensorboard: the directory of the event files.
        checkpoints: the directory of the checkpoints.
        model: model.keras, the trained network; absent during a session.
        evaluation: evaluation.json.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = user_path(path)
        self.settings = self.path / TRAINING
        self.metrics = self.path / "metrics.csv"
        self.curves = self.path / "curves.png"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model.keras"
        self.evaluation = self.path / "evaluation.json"

    def check(self, experiment: Experiment) -> None:
        """Checks that this directory is free, or holds this training.

        Raises:
            ValueError: if it is not a directory, holds something else, or
                holds a training with other settings. `replicas` and `remat` may
                differ.
        """
        if not self.settings.exists():
            check_free(self.settings, "training")
            return
        stored, _ = self.read()
        check_same(
            self.settings,
            "training",
            dataclasses.asdict(stored),
            {
                **dataclasses.asdict(experiment),
                **{name: getattr(stored, name) for name in _MAY_CHANGE},
            },
        )

    def write(
        self,
        experiment: Experiment,
        facts: DataFacts,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        """Writes the whole configuration, before a session's first step."""
        self.path.mkdir(parents=True, exist_ok=True)
        session = {"versions": versions(), "device": devices.device()}
        earlier = self.sessions() if self.settings.exists() else []
        values = {
            "experiment": dataclasses.asdict(experiment),
            "config": dataclasses.asdict(network_config(experiment, facts)),
            "total_steps": experiment.total_steps(facts.images),
            "data": facts.to_json(),
            "data_dir": data_dir and absolute_path(data_dir),
            **session,
            # Version 0.1.0 called sessions runs.
            "earlier_runs": [one for one in earlier if one != session],
        }
        write_json(self.settings, values)

    def sessions(self) -> list[dict]:
        """Lists the different versions and devices of the sessions, in order.

        Returns:
            For each {"versions": {name: version}, "device": description}.
        """
        settings = self._settings()
        last = {
            "versions": settings["versions"],
            "device": settings.get("device", "unknown"),
        }
        return [*settings.get("earlier_runs", []), last]

    def data_dir(self) -> str | None:
        """Returns the `data_dir` of the last session."""
        return self._settings().get("data_dir")

    def warn_of_another_backend(self) -> None:
        """Warns if the last session ran on another backend."""
        versions = self._settings()["versions"]
        now = keras.backend.backend()
        if versions["backend"] != now:
            logging.warning(
                "The last session of this training ran on %s; this one runs "
                "on %s. Weights and momentum are kept; the order of the images "
                "and the random numbers will differ.",
                versions["backend"],
                now,
            )

    def save_model(self, model: keras.Model) -> None:
        """Saves the network without its optimizer, atomically."""
        # Keras would make an optimizer on all processes; this is only one.
        with replacing(self.model) as part, devices.no_scope():
            model.save(part, include_optimizer=False)

    def read(self) -> tuple[Experiment, DataFacts]:
        """Reads the settings and facts that `write` wrote.

        Raises:
            ValueError: if this is not a work directory.
        """
        try:
            with refused_unless_settings(self.settings, "training"):
                values = self._settings()
                return (
                    Experiment(**experiment_fields(values, self.settings)),
                    DataFacts.from_json(values["data"]),
                )
        except FileNotFoundError as error:
            raise ValueError(
                f"workdir={str(self.path)!r} is not a work directory of this "
                f"package: it has no {self.settings.name}. Give the "
                "--workdir of a training."
            ) from error

    def _settings(self):
        return json.loads(self.settings.read_text())


def versions() -> dict[str, str]:
    """Returns the versions of what a training runs on, by name."""
    backend = keras.backend.backend()
    return {
        "keras_resnetv2": __version__,
        "keras": keras.__version__,
        "backend": backend,
        backend: devices.backend_version(),
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
