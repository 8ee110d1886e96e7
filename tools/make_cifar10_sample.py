"""Writes the CIFAR-10 sample that the package bundles.

    python tools/make_cifar10_sample.py

It reads CIFAR-10 from TFDS (prepared by tools/prepare_cifar10.py). The sample
is the first 256 training and the first 50 test images of each class, in the
order of the official files. The CSV contains their ids.
"""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags
from PIL import Image

from keras_resnetv2._files import write_atomically
from keras_resnetv2._text import csv_table
from keras_resnetv2.data import CLASS_NAMES, cifar10_sample, tfds_splits

_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS's folder of datasets.")
_OUT = flags.DEFINE_string(
    "out",
    str(Path(cifar10_sample.__file__).parent / "sample"),
    "Folder to write to.",
)


def write_split(split: str, out: Path) -> None:
    """Writes the sheet and the table of one split."""
    builder = tfds_splits.find_builder("cifar10", _DATA_DIR.value)
    dataset = builder.as_dataset(split=split)
    # The ids number the images in the order of the official files.
    examples = sorted(tfds.as_numpy(dataset), key=lambda one: one["id"])
    left = dict.fromkeys(
        range(len(CLASS_NAMES["cifar10"])),
        cifar10_sample.PER_CLASS[split],
    )
    chosen = []
    for example in examples:
        if left[example["label"]]:
            left[example["label"]] -= 1
            chosen.append(example)
    sheet = cifar10_sample.to_sheet(
        np.stack([example["image"] for example in chosen]),
        cifar10_sample.COLUMNS[split],
    )
    Image.fromarray(sheet).save(
        out / f"{split}.webp", lossless=True, quality=100, method=6
    )
    rows = (
        (
            example["id"].decode(),
            CLASS_NAMES["cifar10"][example["label"]],
        )
        for example in chosen
    )
    write_atomically(out / f"{split}.csv", csv_table(("id", "label"), rows))


def main(argv: list[str]) -> None:
    """Writes both splits."""
    del argv
    out = Path(_OUT.value).expanduser()
    out.mkdir(parents=True, exist_ok=True)
    for split in cifar10_sample.PER_CLASS:
        write_split(split, out)


if __name__ == "__main__":
    app.run(main)
