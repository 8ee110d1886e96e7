"""What `import keras_resnetv2` pulls in, and says where there is no backend."""

import os
import pathlib
import pkgutil
import subprocess
import sys

import pytest

import keras_resnetv2
from keras_resnetv2 import _registration, cli


def run(code, *args, **env):
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code, *args],
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
"""
USED = (
    NOTHING_FOUND
    + """
import keras_resnetv2
print("imported")
keras_resnetv2.PreActResNet20
"""
)
COMMAND = (
    NOTHING_FOUND
    + """
import sys
from keras_resnetv2.cli.evaluate import entry_point
sys.argv = ["command", {argument!r}]
entry_point()
"""
)


@pytest.mark.parametrize(
    "missing, env, says",
    [
        (("tensorflow", "jax", "torch"), {}, "keras-resnetv2[cpu]"),
        (("jax",), {"KERAS_BACKEND": "jax"}, "pip install jax"),
        (("tensorflow", "torch"), {}, "Set KERAS_BACKEND=jax"),
    ],
)
def test_missing_backend_says_what_to_install(missing, env, says, tmp_path):
    pytest.importorskip("jax")
    env = {"KERAS_HOME": str(tmp_path), **env}
    done = run(USED.format(missing=missing), **env)
    assert done.returncode == 1
    assert "ImportError" in done.stderr and says in done.stderr
    assert done.stdout == "imported\n"


def test_a_command_says_so_in_one_message_and_helps_without():
    missing = ("tensorflow", "jax", "torch")
    done = run(COMMAND.format(missing=missing, argument="--help"))
    assert done.returncode == 0 and "--workdir" in done.stdout
    done = run(COMMAND.format(missing=missing, argument="--workdir=run"))
    assert done.returncode == 1
    assert done.stderr.startswith("command: error: keras_resnetv2 needs")


# Nothing is compiled on NumPy; Keras imports TensorFlow if it can, to save.
ON_NUMPY = {"KERAS_BACKEND": "numpy"}
SAVE = """
import sys
sys.modules["tensorflow"] = None
import keras, keras_resnetv2 as k
config = k.ResNetConfig(
    units_per_stage=(1, 1), widths=(2, 4), dimension_change="padding")
model = k.ResNetV2(config, input_shape=(8, 8, 3))
k.training.compile(model, "torch", total_steps=10)
model.save(sys.argv[1])
"""
# Processes in which nothing of Keras is imported, but what Keras imports is.
LOAD = """
import os, sys
sys.modules["tensorflow"] = None
import h5py, jax.numpy, matplotlib.pyplot, optree, rich, scipy.stats, sklearn
assert not {"keras", "keras_resnetv2"} & set(sys.modules)
for imports in sys.argv[2:]:
    if not os.fork():
        exec(imports)
        model = keras.models.load_model(sys.argv[1])
        print(type(model).__name__, type(model.optimizer).__module__)
        sys.exit()
    assert os.wait()[1] == 0, imports
"""
IMPORTS = (
    "import keras, keras_resnetv2",
    "import keras_resnetv2, importlib.util;"
    "importlib.util.find_spec('keras'); import keras",
    "import keras_resnetv2; keras_resnetv2.MODELS; import keras",
    # Keras comes after one of ours, in the middle of one, before one.
    "import keras_resnetv2.models.configs; import keras",
    "from keras_resnetv2.models.layers import conv; import keras",
    "from keras_resnetv2.training import SGD; import keras",
    "import keras; from keras_resnetv2.models.configs import MODELS",
)


def test_saved_models_load_in_a_fresh_process(tmp_path):
    path = str(tmp_path / "m.keras")
    done = run(SAVE, path, **ON_NUMPY)
    assert done.returncode == 0, done.stderr
    done = run(LOAD, path, *IMPORTS, **ON_NUMPY)
    assert done.returncode == 0, done.stderr
    found = "ResNet keras_resnetv2.training.optimizers"
    assert done.stdout.splitlines() == [found] * len(IMPORTS)


def test_every_class_for_keras_is_registered():
    package = pathlib.Path(keras_resnetv2.__file__).parent
    registering = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        if "@keras.saving.register" in path.read_text()
    }
    assert registering == set(_registration._MODULES)


AFTER_A_FAILURE = """
import sys
sys.modules["keras_tuner"] = None
try:
    from keras_resnetv2.tuning import ResNetV2HyperModel
except ImportError:
    import keras
    print(keras.saving.get_registered_object("keras_resnetv2>ResNet"))
"""


def test_classes_are_registered_where_an_import_fails():
    done = run(AFTER_A_FAILURE, **ON_NUMPY)
    assert "network.ResNet" in done.stdout, done.stderr


HELP = """
import importlib, sys
sys.argv = ["command", "--help"]
try:
    importlib.import_module("keras_resnetv2.cli." + {command!r}).entry_point()
except SystemExit:
    print([name for name in {heavy} if name in sys.modules])
"""
HEAVY = ["keras", "tensorflow", "jax", "keras_tuner", "matplotlib"]


@pytest.mark.parametrize(
    "command",
    [
        module.name
        for module in pkgutil.iter_modules(cli.__path__)
        if module.name != "common" and not module.name.endswith("_flags")
    ],
)
def test_help_starts_no_backend(command):
    done = run(HELP.format(command=command, heavy=HEAVY))
    assert done.stdout.splitlines()[-1].endswith("[]"), done.stdout
    assert "--verbosity" in done.stdout or "--helpfull" in done.stdout


LAZY = ["analysis", "data", "export", "studies", "training", "tuning"]


@pytest.mark.parametrize("package", LAZY)
def test_no_lazy_name_is_that_of_a_file(package):
    # The file, once imported, would take the name's place.
    package = getattr(keras_resnetv2, package)
    files = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not files & set(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_every_public_name_is_there():
    for name in keras_resnetv2.__all__:
        assert getattr(keras_resnetv2, name) is not None
    assert set(keras_resnetv2.__all__) == set(dir(keras_resnetv2))
    assert set(keras_resnetv2.MODELS) <= set(dir(keras_resnetv2))
    with pytest.raises(AttributeError, match="no_such_name"):
        keras_resnetv2.no_such_name
