"""Replays an export's warm-up requests for the self-check.

It runs in a separate process:
`python -m keras_resnetv2.export.replay serving/resnet20/1 answers.npz`.
Like a server, it has neither Keras nor the network's code.
"""

import pathlib
import sys

import numpy as np


def main(version: str, answers: str) -> None:
    """Sends the requests to their signatures and saves the answers.

    Args:
        version: directory of the SavedModel.
        answers: the .npz file to write. A key is the number of a request and
            the name of an output, such as "0/probabilities".
    """
    sys.modules["keras"] = None  # makes importing it fail
    import tensorflow as tf

    from keras_resnetv2.export import prediction_log

    signatures = tf.saved_model.load(version).signatures
    found = {}
    requests = prediction_log.read(pathlib.Path(version))
    for i, (name, inputs) in enumerate(requests):
        inputs = {key: tf.constant(value) for key, value in inputs.items()}
        for key, value in signatures[name](**inputs).items():
            value = value.numpy()
            # Strings are objects here, which would be pickled.
            found[f"{i}/{key}"] = (
                value.astype(bytes) if value.dtype == object else value
            )
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
