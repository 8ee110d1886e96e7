import pytest
from small_training import cut_fake


@pytest.fixture
def small_fake(monkeypatch):
    """The `fake` data, cut to 200 training and 70 test images."""
    return cut_fake(monkeypatch)
