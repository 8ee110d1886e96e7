import contextlib
import functools
import os
import pathlib

import pytest
import witnesses
from questions import INPUTS, Book, newest

from keras_resnetv2 import ResNetConfig, ResNetV2, load_arrays
from keras_resnetv2.export import export_saved_model, self_check


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    """Directory of an export's versions: a small one, or TF_SERVING_EXPORT.

    Its own check would ask what the tests ask.
    """
    if given := os.environ.get("TF_SERVING_EXPORT"):
        return pathlib.Path(given).absolute()
    directory = tmp_path_factory.mktemp("exports") / "cifar"
    names = load_arrays("cifar10_sample", "test").class_names
    model = ResNetV2(ResNetConfig(units_per_stage=(1,), widths=(8,)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(self_check, "check", lambda *args: None)
        export_saved_model(
            model, directory, standardization="cifar10", class_names=names
        )
    return directory


@pytest.fixture(scope="session")
def version(export):
    """Directory of the newest version: a SavedModel."""
    return newest(export)


@pytest.fixture(scope="session")
def book(version):
    """Questions to the export, with answers."""
    return Book(version)


@pytest.fixture(scope="session")
def serve(export, version, book, tmp_path_factory):
    """Starts each server once: `serve(name)`; skips where there is none."""
    questions = [book.good(signature) for signature in INPUTS]
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name):
            folder = tmp_path_factory.mktemp(name)
            return stack.enter_context(
                witnesses.serving(name, export, version, folder, questions)
            )

        def serve(name):
            try:
                return start(name)
            except witnesses.Missing as missing:
                pytest.skip(f"{name}: {missing}")

        yield serve
