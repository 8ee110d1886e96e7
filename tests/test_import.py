"""What `import keras_resnetv2` pulls in, and says where there is no backend."""

import os
import subprocess
import sys

import pytest

import keras_resnetv2


def run(code, **env):
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **env},
        capture_output=True,
        text=True,
    )


def test_nothing_heavy_is_imported():
    done = run(
        "import sys, keras_resnetv2, keras_resnetv2.data\n"
        "heavy = ['keras', 'tensorflow', 'tensorflow_datasets', 'jax',"
        " 'keras_tuner', 'matplotlib']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


NOTHING_FOUND = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: (
    None if name in {missing} else find(name, *a))
import keras_resnetv2
"""


@pytest.mark.parametrize(
    "missing, env, says",
    [
        (("tensorflow", "jax", "torch"), {}, "keras-resnetv2[tensorflow]"),
        (("jax",), {"KERAS_BACKEND": "jax"}, "pip install jax"),
    ],
)
def test_missing_backend_says_what_to_install(missing, env, says):
    done = run(NOTHING_FOUND.format(missing=missing), **env)
    assert done.returncode == 1
    assert "ImportError" in done.stderr and says in done.stderr


def test_every_public_name_is_there():
    for name in keras_resnetv2.__all__:
        assert getattr(keras_resnetv2, name) is not None
    assert set(keras_resnetv2.__all__) == set(dir(keras_resnetv2))
    with pytest.raises(AttributeError, match="no_such_name"):
        keras_resnetv2.no_such_name
