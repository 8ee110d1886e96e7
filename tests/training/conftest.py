import pytest
from small_training import cut_fake, experiment

from keras_resnetv2 import training


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished training of 12 steps; to be copied, not changed."""
    workdir = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_fake(monkeypatch)
        training.train(experiment(), workdir)
    return workdir
