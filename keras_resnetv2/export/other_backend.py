"""Exports a network of the JAX or PyTorch backend, in a process on TensorFlow.

The process is `tensorflow_process`: the network and the arguments go to it as
files in a folder, and the path comes back so.
"""

import importlib.util
import json
import os
import pathlib
import tempfile
from typing import Any

import keras

from keras_resnetv2._processes import run_on_tensorflow

# The files in the folder.
MODEL, ARGUMENTS, VERSION, ERROR = (
    "model.keras",
    "arguments.json",
    "version.txt",
    "error.txt",
)


def export(
    model: keras.Model, directory: str | os.PathLike, **arguments: Any
) -> pathlib.Path:
    """`export_saved_model`, in a process that runs on TensorFlow.

    Args:
        model: On whatever backend.
        directory: Of all versions.
        **arguments: The others of `export_saved_model`, with a
            `Standardization`.

    Returns:
        The directory of the new version.

    Raises:
        ValueError: If there is no TensorFlow, or as `export_saved_model`.
    """
    if not importlib.util.find_spec("tensorflow"):
        raise ValueError(
            "A SavedModel is written by TensorFlow, which is not installed "
            f"beside {keras.backend.backend()}. Do: pip install "
            '"keras-resnetv2[cpu]" (or [tensorflow]).'
        )
    standardization = arguments.pop("standardization").to_json()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save(folder / MODEL)
        (folder / ARGUMENTS).write_text(
            json.dumps(
                {
                    **arguments,
                    "directory": os.path.abspath(directory),
                    "standardization": standardization,
                }
            )
        )
        failed = run_on_tensorflow(
            "keras_resnetv2.export.tensorflow_process", folder
        )
        if (folder / ERROR).exists():
            raise ValueError((folder / ERROR).read_text())
        if failed:
            raise ValueError(f"TensorFlow's process did not export: {failed}")
        version = pathlib.Path((folder / VERSION).read_text())
    return pathlib.Path(directory) / version.name
