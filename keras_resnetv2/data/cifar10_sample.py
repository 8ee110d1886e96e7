"""The CIFAR-10 images that come with the package; see sample/README.md."""

import csv
import importlib.resources

import numpy as np

from keras_resnetv2._origin import CLASS_NAMES
from keras_resnetv2.data.image_data import ImageData

PER_CLASS = {"train": 256, "test": 50}
SIDE = 32
COLUMNS = {"train": 64, "test": 25}


def to_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Tiles images into one large image, row by row.

    Args:
        images: (N, side, side, 3), N a multiple of `columns`.
        columns: number of images in a row.

    Returns:
        (N / columns * side, columns * side, 3).
    """
    side = images.shape[1]
    grid = images.reshape(-1, columns, side, side, 3).swapaxes(1, 2)
    return grid.reshape(-1, columns * side, 3)


def from_sheet(sheet: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Cuts a sheet back into its images; the inverse of `to_sheet`.

    Args:
        sheet: (rows * side, columns * side, 3).
        side: side of one image in pixels.

    Returns:
        (rows * columns, side, side, 3).
    """
    grid = sheet.reshape(-1, side, sheet.shape[1] // side, side, 3)
    return np.ascontiguousarray(grid.swapaxes(1, 2).reshape(-1, side, side, 3))


def load(split: str) -> ImageData:
    """Reads one split of the bundled sample.

    Args:
        split: "train" (2,560 images) or "test" (500), with equally many of
            each class, in the order of the official files.

    Returns:
        The images, equal to those of CIFAR-10 to the bit.

    Raises:
        FileNotFoundError: if the sample was removed from the package.
    """
    from PIL import Image

    folder = importlib.resources.files("keras_resnetv2.data") / "sample"
    try:
        with (folder / f"{split}.webp").open("rb") as file:
            sheet = np.asarray(Image.open(file))
        with (folder / f"{split}.csv").open(encoding="utf-8") as file:
            names = [row["label"] for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The bundled CIFAR-10 sample is not in this installation "
            f"({error}). Reinstall the package, or use another dataset."
        ) from error
    class_names = CLASS_NAMES["cifar10"]
    number = {name: label for label, name in enumerate(class_names)}
    return ImageData(
        images=from_sheet(sheet),
        labels=np.array([number[name] for name in names], np.int32),
        class_names=class_names,
    )
