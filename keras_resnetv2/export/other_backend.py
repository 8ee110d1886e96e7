"""Exports a network of the JAX or PyTorch backend, in a process on TensorFlow.

The process is `python -m keras_resnetv2.export.other_backend FOLDER`: the
network and the arguments go to it as files in the folder, and the path comes
back so.
"""

import json
import os
import pathlib
import sys
import tempfile
from typing import Any

import keras

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
    """`versions.export`, in a process that runs on TensorFlow.

    Args:
        model: on whatever backend.
        directory: of all versions.
        policy: the export's dtype policy.
        standardization: of the pixels.
        **serving: the other fields of a `Serving`.

    Returns:
        The directory of the new version.

    Raises:
        ImportError: if there is no TensorFlow; says what to install.
        ValueError: as `versions.export`.
    """
    check_installed("A SavedModel")
    arguments = {
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
            raise ValueError(f"TensorFlow's process did not export: {failed}")
        version = pathlib.Path((folder / _VERSION).read_text())
    return directory / version.name


def main(folder: str) -> None:
    """Reads what `export` wrote, and exports it.

    Args:
        folder: with the files in it.
    """
    from keras_resnetv2.export import versions
    from keras_resnetv2.export.signatures import Serving

    path = pathlib.Path(folder)
    arguments = json.loads((path / _ARGUMENTS).read_text())
    serving = Serving(
        Standardization.from_json(arguments["standardization"]),
        **arguments["serving"],
    )
    model = keras.models.load_model(path / _MODEL, compile=False)
    try:
        version = versions.export(
            model,
            pathlib.Path(arguments["directory"]),
            arguments["policy"],
            serving,
        )
    except ValueError as error:
        (path / _ERROR).write_text(str(error))
        raise
    (path / _VERSION).write_text(str(version))


if __name__ == "__main__":
    main(*sys.argv[1:])
