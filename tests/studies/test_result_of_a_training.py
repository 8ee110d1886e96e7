import keras
import pytest
from small_training import epoch_row

from keras_resnetv2.data import STANDARDIZATIONS
from keras_resnetv2.studies.results import result_of
from keras_resnetv2.training import DataFacts, Experiment, hardware
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
        monkeypatch.setattr(hardware, "device", lambda: device)
        monkeypatch.setattr(hardware, "backend_version", lambda: version)
        for _ in range(2):
            workdir.write(experiment, facts)
    write_rows(workdir.metrics, [epoch_row(1, step=1)])
    result = result_of(workdir)
    assert len(workdir.sessions()) == 3
    assert result.device == "a GPU, a CPU"
    assert result.versions[keras.backend.backend()] == "1, 2"
    assert result.versions["keras"] == keras.__version__
