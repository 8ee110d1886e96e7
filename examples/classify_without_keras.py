"""Classifies picture files with exported networks, and draws the answers.

    python examples/classify_without_keras.py \
        --model=demo/serving/1 --output=predictions.png demo/pictures

To compare two networks: --model=here=demo/serving/1
--model=published=demo/published/1

It needs TensorFlow, Matplotlib and Pillow, but neither Keras nor this package.
"""

import argparse
import os
import pathlib
import sys

# None makes importing them fail, which proves that they are not needed.
sys.modules["keras"] = None
sys.modules["keras_resnetv2"] = None

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

RIGHT, WRONG = "darkgreen", "firebrick"


def answers_of(folder, paths):
    """Returns names and scores of the most likely classes, from an export."""
    files = tf.constant([path.read_bytes() for path in paths])
    network = tf.saved_model.load(folder)
    answers = network.signatures["classify"](image_bytes=files)
    names = answers["classes"][:, 0].numpy().astype(str)
    return names, answers["scores"][:, 0].numpy()


def draw(axes, path, truth, lines):
    """Draws a picture with the networks' answers below it, in colour."""
    axes.imshow(Image.open(path))
    axes.set_axis_off()
    axes.set_title(f"is: {truth}", fontsize=11)
    for i, (text, right) in enumerate(lines):
        axes.text(
            0.5,
            -0.05 - 0.13 * i,
            text,
            color=RIGHT if right else WRONG,
            ha="center",
            va="top",
            transform=axes.transAxes,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        required=True,
        action="append",
        help="an exported version, or NAME=VERSION; may be repeated",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=os.path.expanduser,
        help="the image file to write",
    )
    parser.add_argument("folder", type=pathlib.Path, help="folder of PNG files")
    args = parser.parse_args()

    paths = sorted(args.folder.glob("*.png"))
    truths = [path.stem.rsplit("_", 1)[0] for path in paths]
    under, totals = [[] for _ in paths], []
    for model in args.model:
        label, _, folder = model.partition("=")
        if pathlib.Path(model).expanduser().exists() or not folder:
            label, folder = "", model
        names, scores = answers_of(os.path.expanduser(folder), paths)
        for lines, truth, name, score in zip(under, truths, names, scores):
            text = f"{label}: {name} {score:.0%}".removeprefix(": ")
            lines.append((text, name == truth))
        totals.append(
            f"{np.sum(names == truths)}/{len(paths)} {label}".rstrip()
        )

    rows = -(-len(paths) // 5)
    height = 2.5 + 0.28 * len(args.model)
    figure = Figure(figsize=(11, height * rows), layout="constrained")
    panels = figure.subplots(rows, 5, squeeze=False).flat
    for axes, path, truth, lines in zip(panels, paths, truths, under):
        draw(axes, path, truth, lines)
    for axes in panels:
        axes.set_axis_off()
    figure.savefig(args.output, dpi=90)
    print(f"Right: {', '.join(totals)}; see {args.output}")


if __name__ == "__main__":
    main()
