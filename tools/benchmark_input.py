r"""Measures the speed of the input: reading, augmenting, standardizing.

On one core (without taskset, on all cores):

    taskset --cpu-list 0 python tools/benchmark_input.py

With encoded images:

    python tools/benchmark_input.py --make_jpegs=512 \
      --augmentation=scale_aspect_ratio --steps=60

This makes JPEGs of ImageNet's mean size. Or give --dataset a folder or a name
of TFDS.
"""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from keras_resnetv2 import data

_DATASET = flags.DEFINE_string("dataset", "cifar10", "See train.py.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS's folder of datasets.")
_JPEGS = flags.DEFINE_integer("make_jpegs", 0, "Number of JPEGs to make, use.")
_AUGMENTATION = flags.DEFINE_string("augmentation", "crop_flip", "Its name.")
_PARTS = [
    flags.DEFINE_integer("rand_augment", 0, "See training_batches."),
    flags.DEFINE_float("mixup", 0.0, "See training_batches."),
    flags.DEFINE_float("cutmix", 0.0, "See training_batches."),
]
_SIZE = flags.DEFINE_integer("image_size", 224, "Size of encoded images.")
_BATCH = flags.DEFINE_integer("batch_size", 128, "Images per step.")
_STEPS = flags.DEFINE_integer("steps", 4000, "Number of steps to time.")
_FRAMEWORK = flags.DEFINE_string("framework", "tensorflow", "Or numpy.")


def make_jpegs(root, count):
    """Writes crops of matplotlib's photograph: 500 x 375, about 110 kB each."""
    import matplotlib.cbook
    from PIL import Image

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    photograph = Image.open(path)
    rng = np.random.default_rng(0)
    folder = Path(root) / "train" / "photograph"
    folder.mkdir(parents=True)
    for i in range(count):
        width = int(rng.integers(400, 512))
        left, top = rng.integers(0, (513 - width, 601 - width * 3 // 4))
        box = (left, top, left + width, top + width * 3 // 4)
        part = photograph.resize((500, 375), Image.Resampling.LANCZOS, box)
        part.save(folder / f"{i:06}.jpg", quality=98)


def open_data(root):
    """Opens the data that the flags select; `root` is an empty folder."""
    if _JPEGS.value:
        make_jpegs(root, _JPEGS.value)
        return data.open_images(root), {"image_size": _SIZE.value}
    options = {"data_dir": _DATA_DIR.value}
    if data.AUGMENTATIONS[_AUGMENTATION.value].in_memory:
        return data.load_arrays(_DATASET.value, **options), {}
    images = data.open_images(_DATASET.value, **options)
    return images, {"image_size": _SIZE.value}


def main(argv):
    """Prints images/s."""
    warm_up = max(2, _STEPS.value // 20)
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory())
        images, options = open_data(root)
        batches = iter(
            data.training_batches(
                images,
                batch_size=_BATCH.value,
                standardization="imagenet",
                augmentation=_AUGMENTATION.value,
                steps=warm_up + _STEPS.value,
                framework=_FRAMEWORK.value,
                **{part.name: part.value for part in _PARTS},
                **options,
            )
        )
        for _ in range(warm_up):
            next(batches)
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in batches)
        seconds = time.perf_counter() - start
    print(f"{count / seconds:,.0f} images/s")


if __name__ == "__main__":
    app.run(main)
