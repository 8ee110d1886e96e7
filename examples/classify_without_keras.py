"""Classifies picture files with an exported network, and draws the answers.

    python examples/classify_without_keras.py \
        --model=demo/serving/1 --output=predictions.png demo/pictures

Needs TensorFlow alone: neither Keras nor this package is imported.
"""

import argparse
import pathlib
import sys

# Not needed here; None makes an import of either fail, as proof.
sys.modules["keras"] = None
sys.modules["keras_resnetv2"] = None

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="an exported version")
    parser.add_argument("--output", required=True, help="the picture to write")
    parser.add_argument("folder", type=pathlib.Path, help="of PNG pictures")
    args = parser.parse_args()

    network = tf.saved_model.load(args.model)
    labels = pathlib.Path(args.model, "assets", "labels.txt")
    names = labels.read_text().split("\n")
    paths = sorted(args.folder.glob("*.png"))
    pictures = np.stack([np.asarray(Image.open(path)) for path in paths])
    answers = network.serve(tf.constant(pictures))["probabilities"].numpy()

    rows = -(-len(paths) // 5)
    figure = Figure(figsize=(11, 2.7 * rows), layout="constrained")
    right = 0
    for axes, path, picture, answer in zip(
        figure.subplots(rows, 5).flat, paths, pictures, answers
    ):
        truth = path.stem.rsplit("_", 1)[0]
        best = int(answer.argmax())
        right += names[best] == truth
        axes.imshow(picture)
        axes.set_axis_off()
        axes.set_title(
            f"{names[best]} {answer[best]:.0%}\n(is: {truth})",
            color="darkgreen" if names[best] == truth else "firebrick",
        )
    figure.savefig(args.output, dpi=90)
    print(f"{right} of {len(paths)} right; see {args.output}")


if __name__ == "__main__":
    main()
