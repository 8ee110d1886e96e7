"""Every model x every way to use it: what goldens.json says, or it fails."""

import functools
import json
import pathlib

import numpy as np
import pytest
from golden_models import depth
from processes import run_python
from ways import WAYS

from keras_resnetv2 import MODELS
from keras_resnetv2.export import self_check

HERE = pathlib.Path(__file__).parent
GOLDENS = json.loads((HERE / "goldens.json").read_text())

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import ways
ways.run(*sys.argv[2:])
"""


def cases():
    for way, row in WAYS.items():
        for name in names_of(way):
            marks = [*row.marks, *(() if name in row.fast else ("large",))]
            marks = [getattr(pytest.mark, mark) for mark in marks]
            yield pytest.param(way, name, marks=marks, id=f"{way}-{name}")


def names_of(way):
    return [name for name in MODELS if depth(name) <= WAYS[way].deepest]


@pytest.fixture(scope="module")
def answers_of_process(tmp_path_factory):
    """(backend, fast) -> answers of all fast or all other models at once."""

    @functools.cache
    def answers(backend, fast):
        cases = [
            f"{way}-{name}"
            for way, row in WAYS.items()
            for name in names_of(way)
            if row.backend == backend and (name in row.fast) == fast
        ]
        path = tmp_path_factory.mktemp("conformance") / "answers.npz"
        run_python(RUN, HERE, path, *cases, backend=backend)
        return dict(np.load(path))

    return answers


@pytest.fixture
def answers(answers_of_process, tmp_path, monkeypatch):
    """(way, name) -> what the model answers."""
    # An export's own check loads it a second time, in a process of its own.
    monkeypatch.setattr(self_check, "check", lambda *args: None)

    def answers(way, name):
        backend = WAYS[way].backend
        if backend is None:
            return WAYS[way].answer(name, tmp_path)
        pytest.importorskip(backend)
        found = answers_of_process(backend, name in WAYS[way].fast)
        start = f"{way}-{name} "
        return {
            key.removeprefix(start): value
            for key, value in found.items()
            if key.startswith(start)
        }

    return answers


def test_every_model_has_a_golden():
    assert GOLDENS.keys() == MODELS.keys(), (
        "goldens.json is made by tests/conformance/make_goldens.py"
    )


@pytest.mark.parametrize("way, name", list(cases()))
def test_as_the_golden(way, name, answers, agree):
    got, golden, row = answers(way, name), GOLDENS[name], WAYS[way]
    step = {key for key in got if key.startswith("step/")}
    outputs = got.keys() - step
    assert got
    if outputs:
        expected = {key: golden[key] for key in outputs}
        got_outputs = {key: got[key] for key in outputs}
        agree(f"golden: {way}", got_outputs, expected, row.within)
    if step:
        expected = {k: v for k, v in golden.items() if k.startswith("step/")}
        got_step = {key: got[key] for key in step}
        agree(f"golden: {way}, a step", got_step, expected, row.step_within)
