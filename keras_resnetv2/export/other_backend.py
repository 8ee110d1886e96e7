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
from keras_resnetv2._processes import run_on_cpu
from keras_resnetv2._standardization import Standardization

# The files in the folder.
_MODEL, _ARGUMENTS = "model.keras", "arguments.json"
_WRITTEN, _ERROR = "written.txt", "error.txt"


def export(
    model: keras.Model,
    path: pathlib.Path,
    function: str,
    *,
    standardization: Standardization,
    **arguments: Any,
) -> pathlib.Path:
    """Calls a function of this package in a process on TensorFlow.

    Args:
        model: a model on any backend.
        path: what the function is to write.
        function: its name, such as "export_saved_model".
        standardization: standardization of the pixels.
        **arguments: the function's other arguments.

    Returns:
        The function's result: the path of what it wrote.

    Raises:
        ValueError: see the function; also if that process cannot import a
            custom layer.
    """
    arguments = {
        "modules": _modules(model),
        "sys_path": sys.path,
        "path": os.path.abspath(path),
        "function": function,
        "standardization": standardization.to_json(),
        "arguments": arguments,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save(folder / _MODEL)
        (folder / _ARGUMENTS).write_text(json.dumps(arguments))
        failed = run_on_cpu(__name__, folder)
        if (folder / _ERROR).exists():
            raise ValueError((folder / _ERROR).read_text())
        if failed:
            raise ValueError(f"The TensorFlow process failed: {failed}")
        written = (folder / _WRITTEN).read_text()
    return path / os.path.relpath(written, os.path.abspath(path))


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
        written = _export(path)
    except ValueError as error:
        (path / _ERROR).write_text(str(error))
        raise
    (path / _WRITTEN).write_text(str(written))


def _export(path):
    from keras_resnetv2 import export

    given = json.loads((path / _ARGUMENTS).read_text())
    with _told("load"):
        # The user's modules may be in the folder of the calling process.
        sys.path += [x for x in given["sys_path"] if x not in sys.path]
        for module in given["modules"]:
            importlib.import_module(module)
        model = keras.models.load_model(path / _MODEL, compile=False)
    if given["modules"]:
        with _told("run"):
            _run(model)
    return getattr(export, given["function"])(
        model,
        given["path"],
        standardization=Standardization.from_json(given["standardization"]),
        **given["arguments"],
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
