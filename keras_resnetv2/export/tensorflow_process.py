"""The process on TensorFlow that exports what another backend has trained.

`python -m keras_resnetv2.export.tensorflow_process FOLDER`; `other_backend`
starts it and says what is in the folder.
"""

import json
import pathlib
import sys

import keras

from keras_resnetv2.data import Standardization
from keras_resnetv2.export.other_backend import (
    ARGUMENTS,
    ERROR,
    MODEL,
    VERSION,
)
from keras_resnetv2.export.saved_model import export_saved_model


def main(folder: str) -> None:
    """Reads what `other_backend.export` wrote, and exports it.

    Args:
        folder: With the files in it.
    """
    path = pathlib.Path(folder)
    arguments = json.loads((path / ARGUMENTS).read_text())
    standardization = Standardization.from_json(
        arguments.pop("standardization")
    )
    model = keras.models.load_model(path / MODEL, compile=False)
    try:
        version = export_saved_model(
            model, standardization=standardization, **arguments
        )
    except ValueError as error:
        (path / ERROR).write_text(str(error))
        raise
    (path / VERSION).write_text(str(version))


if __name__ == "__main__":
    main(*sys.argv[1:])
