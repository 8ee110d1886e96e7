"""Exports a network of the JAX or PyTorch backend, in a TensorFlow process.

The process is `python -m keras_resnetv2.export.other_backend FOLDER`. It reads
the network and the arguments from files in the folder, and writes the path of
the export there.
"""

import contextlib
import importlib
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

import keras

from keras_resnetv2._origin import all_layers
from keras_resnetv2._processes import run_on_tensorflow
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data import Standardization

# The files in the folder.
_MODEL, _ARGUMENTS = "model.keras", "arguments.json"
_VERSION, _ERROR = "version.txt", "error.txt"


def export(
    model: keras.Model,
    directory: pathlib.Path,
    policy: str,
    *,
    standardization: Standardization,
    **serving: Any,
) -> pathlib.Path:
    """Runs `versions.export` in a process on TensorFlow.

    Args:
        model: a model on any backend.
        directory: directory of all versions.
        policy: the export's dtype policy.
        standardization: standardization of the pixels.
        **serving: the other fields of a `Serving`.

    Returns:
        The directory of the new version.

    Raises:
        ImportError: if TensorFlow is missing; says what to install.
        ValueError: see `versions.export`; also if that process cannot import a
            custom layer.
    """
    check_installed("A SavedModel")
    arguments = {
        "modules": _modules(model),
        "path": sys.path,
        "directory": os.path.abspath(directory),
        "policy": policy,
        "standardization": standardization.to_json(),
        "serving": serving,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save(folder / _MODEL)
        (folder / _ARGUMENTS).write_text(json.dumps(arguments))
        failed = run_on_tensorflow(__name__, folder)
        if (folder / _ERROR).exists():
            raise ValueError((folder / _ERROR).read_text())
        if failed:
            raise ValueError(f"The TensorFlow process failed: {failed}")
        version = pathlib.Path((folder / _VERSION).read_text())
    return directory / version.name


def _modules(model):
    """Returns the modules of the network's custom layers."""
    modules = set()
    for layer in all_layers(model):
        module = type(layer).__module__
        if module.partition(".")[0] in ("keras", __package__.split(".")[0]):
            continue
        if module == "__main__":
            raise ValueError(
                f"The layer {layer.name!r} is of class {type(layer).__name__}, "
                "which is defined in this script or notebook. The process that "
                "exports on TensorFlow cannot import it. Move the class into a "
                "module, or export under KERAS_BACKEND=tensorflow."
            )
        modules.add(module)
    return sorted(modules)


def main(folder: str) -> None:
    """Reads the files that `export` wrote, and exports the network.

    Args:
        folder: folder of the files.
    """
    path = pathlib.Path(folder)
    try:
        version = _export(path)
    except ValueError as error:
        (path / _ERROR).write_text(str(error))
        raise
    (path / _VERSION).write_text(str(version))


def _export(path):
    from keras_resnetv2.export import versions
    from keras_resnetv2.export.signatures import Serving

    arguments = json.loads((path / _ARGUMENTS).read_text())
    with _told("load"):
        # The user's modules may be in the folder of the calling process.
        sys.path += [x for x in arguments["path"] if x not in sys.path]
        for module in arguments["modules"]:
            importlib.import_module(module)
        model = keras.models.load_model(path / _MODEL, compile=False)
    if arguments["modules"]:
        with _told("run"):
            _run(model)
    return versions.export(
        model,
        pathlib.Path(arguments["directory"]),
        arguments["policy"],
        Serving(
            Standardization.from_json(arguments["standardization"]),
            **arguments["serving"],
        ),
    )


def _run(model):
    """Runs the model once: layers may be written for another backend."""
    model(keras.ops.zeros([size or 64 for size in (1, *model.input_shape[1:])]))


@contextlib.contextmanager
def _told(what):
    """Turns an error of custom layers into a ValueError of two sentences."""
    try:
        yield
    except Exception as error:
        cause = error
        while what == "load" and (cause.__cause__ or cause.__context__):
            cause = cause.__cause__ or cause.__context__
        reason = str(cause).strip().partition("\n")[0].partition(". ")[0]
        raise ValueError(
            f"TensorFlow, which the export needs, cannot {what} the network: "
            f"{type(cause).__name__}: {reason.rstrip('.')}. Register custom "
            "layers and functions with "
            "keras.saving.register_keras_serializable, and write them with "
            "keras.ops."
        ) from error


if __name__ == "__main__":
    main(*sys.argv[1:])
