"""Writes goldens.json: python tests/conformance/make_goldens.py [NAME ...]

Computed in float64 by Keras's own operations on TensorFlow, for the models
named (default: those that have no golden yet; all take five minutes). It is to
be run again when a network shall differ, and what changes looked at.
"""

import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import golden_models
import keras
import numpy as np

from keras_resnetv2 import MODELS

PATH = pathlib.Path(__file__).with_name("goldens.json")
DIGITS = 9


def golden(name):
    """A model's answers as lists for JSON."""
    model = golden_models.build(name)
    answers = golden_models.ask(model, name)
    answers |= golden_models.step(model, name)
    return {key: _rounded(value) for key, value in answers.items()}


def _rounded(value):
    if np.ndim(value):
        return [_rounded(row) for row in value]
    return float(f"{value:.{DIGITS}g}")


def main(names):
    """Makes the goldens of `names`; drops those of models that are no more."""
    goldens = json.loads(PATH.read_text()) if PATH.exists() else {}
    for name in names or MODELS.keys() - goldens.keys():
        print(name, flush=True)
        keras.utils.clear_session()
        goldens[name] = golden(name)
    lines = [
        f"{json.dumps(name)}: {json.dumps(goldens[name])}"
        for name in MODELS
        if name in goldens
    ]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    main(sys.argv[1:])
