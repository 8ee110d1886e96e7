import gc
import os
import pathlib
import runpy
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# XLA makes the same program of a network and optimizes it for a fraction of
# the time; here and in the processes that the tests start.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import pytest

pytest_plugins = ["differences", "jpeg_fixtures"]


def pytest_collection_finish():
    """The million objects of TensorFlow and Keras stay.

    Collecting the garbage of a test need not visit them.
    """
    gc.freeze()
    gc.set_threshold(10_000)


# Keras is imported below: the process that only hands out tests needs none.

# Directories whose tests run graphs that others optimize: of exports.
_OPTIMIZED = {"export", "serving", "examples"}


@pytest.fixture(autouse=True)
def traced_graphs(request):
    """Only tests of exports run graphs that are worth optimizing."""
    from processes import without_grappler

    without_grappler(not _OPTIMIZED & set(request.path.parts))


@pytest.fixture(autouse=True)
def fresh_keras():
    """Every test starts with no global Keras state and a fixed seed."""
    import keras

    with pytest.MonkeyPatch.context() as patch:
        if keras.backend.backend() == "tensorflow":
            from tensorflow.python import pywrap_tfe

            # Both empty TensorFlow's cache of kernels, and every test would
            # make those of the one before again.
            patch.setattr(pywrap_tfe, "TFE_ContextClearCaches", lambda _: None)
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def small_fake(monkeypatch):
    """The `fake` data, cut to 200 training and 70 test images."""
    from small_training import cut_fake

    return cut_fake(monkeypatch)


@pytest.fixture
def setup_arguments(monkeypatch):
    """What setup.py tells setuptools."""
    arguments = {}
    fake = types.ModuleType("setuptools")
    fake.setup = arguments.update
    fake.find_packages = lambda **kwargs: []
    monkeypatch.setitem(sys.modules, "setuptools", fake)
    runpy.run_path(str(pathlib.Path(__file__).parents[1] / "setup.py"))
    return arguments
