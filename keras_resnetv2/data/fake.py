"""Synthetic images for trying things out, not for benchmarks."""

import math

import numpy as np

from keras_resnetv2.data.image_data import ImageData

CLASSES = 10
_COUNTS = {"train": 512, "test": 128}
_SEEDS = {"train": 0, "test": 1}
_STRIPES = 3.0


def load(split: str, image_size: int | None = None) -> ImageData:
    """Draws synthetic images whose class can be learnt from the pixels.

    Class `c` has stripes at an angle of `c * 18` degrees with a random phase,
    its own tint, and noise. The same call always gives the same images. The
    splits share no image.

    Args:
        split: "train" (512 images) or "test" (128).
        image_size: side in pixels; `None` means 32.

    Returns:
        The images. Their labels cycle through 10 classes.
    """
    size = 32 if image_size is None else image_size
    count = _COUNTS[split]
    rng = np.random.default_rng(_SEEDS[split])
    labels = np.arange(count, dtype=np.int32) % CLASSES
    angle = (labels * (math.pi / CLASSES))[:, None, None]
    y, x = np.mgrid[:size, :size] / size
    phase = rng.uniform(0, 2 * math.pi, (count, 1, 1))
    across = np.cos(angle) * x + np.sin(angle) * y
    stripes = np.sin(2 * math.pi * _STRIPES * across + phase)
    thirds = np.arange(3) / 3
    tint = np.cos(2 * math.pi * (labels[:, None] / CLASSES + thirds))
    noise = rng.normal(0, 0.1, (count, size, size, 3))
    images = 0.5 + 0.2 * stripes[..., None] + noise
    images += 0.15 * tint[:, None, None, :]
    return ImageData(
        images=(images.clip(0, 1) * 255).round().astype(np.uint8),
        labels=labels,
        class_names=tuple(f"stripes_{18 * c}" for c in range(CLASSES)),
    )
