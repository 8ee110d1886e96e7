"""A search's directory: what lies where, and whether it is ours."""

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
from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2.training.experiment import Experiment
from keras_resnetv2.training.workdir import Workdir


class Searchdir:
    """Names of the files of a search.

    Attributes:
        path: the directory.
        settings: search.json, what is searched and how.
        state: oracle.json, keras-tuner's state.
        best: best.json, what `train --config` takes.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = user_path(path)
        self.settings = self.path / SEARCH
        self.state = self.path / "oracle.json"
        self.best = self.path / "best.json"

    def trial(self, trial_id: str) -> Workdir:
        """A trial's own work directory, as of any training."""
        return Workdir(self.path / "trials" / trial_id)

    def log(self, trial_id: str) -> pathlib.Path:
        """What a trial's process prints."""
        return self.path / "logs" / f"{trial_id}.txt"

    def claim(self, settings: dict) -> dict | None:
        """Checks that this directory is free for, or holds, this search.

        Args:
            settings: of the search.

        Returns:
            What was noted of the data (`write`), where the search has begun.

        Raises:
            ValueError: if it holds something else, or a search with other
                settings.
        """
        if not self.settings.exists():
            check_free(self.settings, "directory of a search")
            return None
        with refused_unless_settings(self.settings, "search"):
            stored = json.loads(self.settings.read_text())
            data = stored.pop("data")
            # So that settings that came later have their default.
            base = Experiment(**stored["base"])
            stored["base"] = dataclasses.asdict(base)
        before, now = json.loads(json.dumps([stored, settings]))
        check_same(self.settings, "search", before, now)
        return data

    def write(self, settings: dict, data: dict) -> None:
        """Writes what is searched, before the first trial."""
        text = json.dumps({**settings, "data": data}, indent=2)
        write_atomically(self.settings, text + "\n")
