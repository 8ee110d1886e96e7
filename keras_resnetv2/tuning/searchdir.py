"""A search's directory: its files, and checks that it is one."""

import dataclasses
import json
import os
import pathlib

from keras_resnetv2._directories import (
    SEARCH,
    check_free,
    check_same,
    refused_unless_settings,
)
from keras_resnetv2._files import user_path, write_json
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.workdir import Workdir


class Searchdir:
    """The files of a search.

    Attributes:
        path: the directory.
        settings: search.json, the settings of the search.
        state: oracle.json, keras-tuner's state.
        best: best.json, the best trial's settings, for `train --config`.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = user_path(path)
        self.settings = self.path / SEARCH
        self.state = self.path / "oracle.json"
        self.best = self.path / "best.json"

    def trial(self, trial_id: str) -> Workdir:
        """Returns a trial's work directory, which is like any training's."""
        return Workdir(self.path / "trials" / trial_id)

    def log(self, trial_id: str) -> pathlib.Path:
        """Returns the path of the log of a trial's process."""
        return self.path / "logs" / f"{trial_id}.txt"

    def check(self, settings: dict) -> dict | None:
        """Checks that this directory is free, or holds this search.

        Args:
            settings: settings of the search.

        Returns:
            The `data` that `write` recorded; None if the search has not begun.

        Raises:
            ValueError: if it holds something else, or a search with other
                settings.
        """
        if not self.settings.exists():
            check_free(self.settings, "search")
            return None
        with refused_unless_settings(self.settings, "search"):
            stored = json.loads(self.settings.read_text())
            data = stored.pop("data")
            # Settings that later versions added get their defaults.
            base = Experiment(**stored["base"])
            stored["base"] = dataclasses.asdict(base)
        before, now = json.loads(json.dumps([stored, settings]))
        check_same(self.settings, "search", before, now)
        return data

    def write(self, settings: dict, data: dict) -> None:
        """Writes the settings of the search, before the first trial."""
        write_json(self.settings, {**settings, "data": data})
