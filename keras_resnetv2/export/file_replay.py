"""Reads an ONNX or a LiteRT file and asks it, for the check of an export.

It runs in a separate process: `python -m keras_resnetv2.export.file_replay
resnet20.onnx inputs.npz answers.npz`. Like the file's users, it has neither
Keras nor TensorFlow.
"""

import json
import pathlib
import sys
import zipfile

import numpy as np

from keras_resnetv2.export import class_labels

# The key of the class names, in ONNX's metadata and in the answers.
CLASS_NAMES = "class_names"


def _read_onnx(path):
    import onnxruntime

    network = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    outputs = [output.name for output in network.get_outputs()]
    class_names = network.get_modelmeta().custom_metadata_map[CLASS_NAMES]

    def answer(inputs):
        return dict(zip(outputs, network.run(outputs, inputs)))

    return json.loads(class_names), answer


def _read_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    ask = Interpreter(path).get_signature_runner()
    labels = zipfile.ZipFile(path).read(class_labels.FILE).decode()
    return class_labels.read(labels), lambda inputs: ask(**inputs)


# By a file's ending.
_READERS = {".onnx": _read_onnx, ".tflite": _read_litert}


def main(path: str, inputs: str, answers: str) -> None:
    """Saves a file's class names, and its answers.

    Args:
        path: the file.
        inputs: an .npz file, whose keys are the names of the inputs.
        answers: the .npz file to write. A key is `CLASS_NAMES`, or "all/" or
            "first/", for all rows at once and for the first one, and the name
            of an output, such as "all/probabilities".
    """
    sys.modules["keras"] = sys.modules["tensorflow"] = None
    class_names, answer = _READERS[pathlib.Path(path).suffix](path)
    found = {CLASS_NAMES: class_names}
    given = dict(np.load(inputs))
    for rows, count in {"all": None, "first": 1}.items():
        asked = {name: value[:count] for name, value in given.items()}
        for name, value in answer(asked).items():
            found[f"{rows}/{name}"] = value
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
