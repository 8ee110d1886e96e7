r"""Speed of the training input alone: reading, augmenting, standardising.

    taskset --cpu-list 0 python tools/benchmark_input.py

on one core; without taskset, on all. Of encoded images:

    python tools/benchmark_input.py --make_jpegs=512 \
      --augmentation=scale_aspect_ratio --steps=60

makes JPEGs of ImageNet's mean size for it; --dataset takes a folder or a TFDS
name instead.
"""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from keras_resnetv2 import data

_DATASET = flags.DEFINE_string("dataset", "cifar10", "As train.py's.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS's folder.")
_JPEGS = flags.DEFINE_integer("make_jpegs", 0, "Make that many, and use them.")
_AUGMENTATION = flags.DEFINE_string("augmentation", "crop_flip", "Which.")
_SIZE = flags.DEFINE_integer("image_size", 224, "Of encoded images.")
_BATCH = flags.DEFINE_integer("batch_size", 128, "Images a step.")
_STEPS = flags.DEFINE_integer("steps", 4000, "Steps that are timed.")
_FRAMEWORK = flags.DEFINE_string("framework", "tensorflow", "or numpy.")


def make_jpegs(root, count):
    """Writes parts of matplotlib's photograph: 500 x 375, some 110 kB each."""
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
    """Opens what the flags say; `root` is an empty folder."""
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
