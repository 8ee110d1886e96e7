"""Writes held-out pictures of the bundled sample as files, named by class.

python examples/serving/held_out_pictures.py pictures
"""

import pathlib
import sys

from PIL import Image

import keras_resnetv2

EACH = 2  # pictures per class


def write(folder):
    """Writes the pictures into a folder, which is created if missing."""
    folder = pathlib.Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    test = keras_resnetv2.load_arrays("cifar10_sample", "test")
    for label, name in enumerate(test.class_names):
        mine = test.images[test.labels == label][:EACH]
        for i, picture in enumerate(mine, 1):
            Image.fromarray(picture).save(folder / f"{name}_{i}.png")


if __name__ == "__main__":
    write(*sys.argv[1:])
