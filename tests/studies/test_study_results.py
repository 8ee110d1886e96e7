import dataclasses

import keras
import pytest
from report_studies import PLAN, result
from small_training import epoch_row

from keras_resnetv2.data import STANDARDIZATIONS
from keras_resnetv2.studies.results import Summary, result_of, summarize
from keras_resnetv2.studies.study import FAIL
from keras_resnetv2.training import DataFacts, Experiment, devices
from keras_resnetv2.training.logs import write_rows
from keras_resnetv2.training.workdir import Workdir


@pytest.mark.parametrize(
    "epochs, steps, whole", [(10, 3910, 10), (None, 64_000, 164)]
)
def test_an_epoch_ends_with_a_smaller_step(tmp_path, epochs, steps, whole):
    experiment = Experiment("PreActResNet20", "cifar10", epochs=epochs)
    names, shape = tuple("0123456789"), (32, 32, 3)
    facts = DataFacts(names, shape, STANDARDIZATIONS["imagenet"], 50_000)
    workdir = Workdir(tmp_path)
    workdir.write(experiment, facts)
    rows = [epoch_row(e, step=min(391 * e, steps)) for e in range(1, whole + 1)]
    write_rows(workdir.metrics, rows)
    schedule = result_of(workdir).schedule
    assert (schedule["steps"], schedule["epochs"]) == (steps, whole)


def test_all_devices_and_versions_that_it_was_made_on(tmp_path, monkeypatch):
    experiment = Experiment("PreActResNet20", "cifar10", epochs=1)
    names, shape = tuple("0123456789"), (32, 32, 3)
    facts = DataFacts(names, shape, STANDARDIZATIONS["imagenet"], 128)
    workdir = Workdir(tmp_path)
    for device, version in (("a GPU", "1"), ("a CPU", "1"), ("a CPU", "2")):
        monkeypatch.setattr(devices, "device", lambda: device)
        monkeypatch.setattr(devices, "backend_version", lambda: version)
        for _ in range(2):
            workdir.write(experiment, facts)
    write_rows(workdir.metrics, [epoch_row(1, step=1)])
    result = result_of(workdir)
    assert len(workdir.sessions()) == 3
    assert result.device == "a GPU, a CPU"
    assert result.versions[keras.backend.backend()] == "1, 2"
    assert result.versions["keras"] == keras.__version__


def runs(*errors):
    return [
        result(PLAN, "original", seed, error, train=error or 0.5)
        for seed, error in enumerate(errors)
    ]


def test_of_three_runs(agree):
    found = dataclasses.asdict(summarize(runs(0.08, 0.10, 0.087)))
    expected = Summary(3, 0, 8.7, 8.9, 1.014889, 8.7)
    agree(
        "summary of runs, by hand",
        found,
        dataclasses.asdict(expected),
        within=1e-6,
    )


def test_of_one_run_there_is_no_spread(agree):
    found = summarize(runs(0.08))
    assert found.spread is None
    agree("summary of runs, by hand", found.mean, 8.0, within=1e-6)
    agree("summary of runs, by hand", found.median, 8.0, within=1e-6)


def test_of_none():
    assert summarize([]) == Summary(0, 0, None, None, None, None)


@pytest.mark.parametrize(
    "errors, median", [((None, 0.08, 0.1), 10.0), ((None, None, 0.1), FAIL)]
)
def test_a_diverged_run_is_worse_than_any_number(errors, median):
    found = summarize(runs(*errors))
    assert found.median == found.train == median
    assert (found.runs, found.diverged) == (3, errors.count(None))
    assert found.mean is found.spread is None


def test_the_last_epoch_counts_not_the_best():
    run = result(PLAN, "original", 0, 0.2, test_error=[0.1, 0.2], best=0.1)
    assert summarize([run]).median == 20.0
