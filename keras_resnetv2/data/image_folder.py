"""Folders of images: as arrays, and encoded, to be decoded as needed."""

import itertools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_resnetv2.data.image_data import EncodedImages, ImageData, TFSource
from keras_resnetv2.data.resizing import ImageCollector, check_memory

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
TEST_FOLDERS = ("test", "val", "validation")
# One image in five is kept for testing where the folder does not say.
_TEST_EVERY = 5


class Listing(NamedTuple):
    """The files of one split.

    Attributes:
        paths: of the images, class by class and by name within a class.
        labels: int32, (N,): the class of each.
        class_names: the classes' folders in the order of their names.
    """

    paths: list[str]
    labels: np.ndarray
    class_names: tuple[str, ...]


def list_images(root: str | os.PathLike[str], split: str) -> Listing:
    """Lists one split of a folder of images, without opening any.

    Either `root/train/CLASS/*.png` with the test images in `root/test`,
    `root/val` or `root/validation`, or `root/CLASS/*.png`: then, of each
    class's files in the order of their names, every fifth is a test image
    and the others are training images.

    Args:
        root: the folder.
        split: "train" or "test".

    Returns:
        The files, in an order that is always the same.

    Raises:
        FileNotFoundError: if the split has no folder, or no images.
        ValueError: if it has classes that the training images lack.
    """
    root = Path(root)
    if (root / "train").is_dir():
        names = _class_names(root / "train")
        files = _list_files(_split_folder(root, split), names)
    else:
        names = _class_names(root)
        files = [
            [
                path
                for place, path in enumerate(paths)
                if (place % _TEST_EVERY == _TEST_EVERY - 1) == (split == "test")
            ]
            for paths in _list_files(root, names)
        ]
    empty = [name for name, paths in zip(names, files) if not paths]
    # A class too small for a test image is no reason to refuse the others.
    if len(empty) == len(names) or (empty and split == "train"):
        raise FileNotFoundError(
            f"{root}: no {split} images ({', '.join(SUFFIXES)}) of the "
            f"classes {empty}."
        )
    labels = np.repeat(np.arange(len(names)), [len(part) for part in files])
    return Listing(
        paths=[path for of_class in files for path in of_class],
        labels=labels.astype(np.int32),
        class_names=names,
    )


def load(
    root: str | os.PathLike[str], split: str, image_size: int | None = None
) -> ImageData:
    """Reads one split of a folder of images; `list_images` says which.

    Args:
        root: the folder.
        split: "train" or "test".
        image_size: side of the squares all images are made; `None` keeps
            them as they are, and then they must be of one size.

    Returns:
        The images; the classes are the folders in the order of their names.

    Raises:
        FileNotFoundError: if the split has no folder, or no images.
        ValueError: if the images differ in size and no size was given, a
            file cannot be read, or they do not fit into memory.
    """
    paths, labels, class_names = list_images(root, split)
    if image_size is None:
        check_memory(len(paths), read_image(paths[0]).shape)
    collector = ImageCollector(len(paths), image_size)
    for path in paths:
        image = read_image(path)
        try:
            collector.add(image)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return ImageData(collector.images, labels, class_names)


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file of any kind that Pillow knows.

    Args:
        path: the file.

    Returns:
        uint8, (height, width, 3).

    Raises:
        ValueError: if it cannot be read as an image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(_eight_bits(image).convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path} cannot be read as an image ({error}); repair or remove it."
        ) from error


def _eight_bits(image):
    """Takes the upper half of 16-bit pixels; Pillow would clip them to 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _split_folder(root: Path, split: str) -> Path:
    choices = ("train",) if split == "train" else TEST_FOLDERS
    for name in choices:
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(
        f"{root} has a folder 'train' but none of {list(choices)}; put the "
        f"test images into {root / choices[0]}, a folder a class."
    )


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )
    )
    if not names:
        raise FileNotFoundError(
            f"{folder} has no subfolders; expected one a class with images "
            f"in it, or 'train' and 'test' with such subfolders."
        )
    return names


def _list_files(folder: Path, names: tuple[str, ...]) -> list[list[str]]:
    """Lists the image files of each class, by name."""
    unknown = set(_class_names(folder)) - set(names)
    if unknown:
        raise ValueError(
            f"{folder} has classes that the training images lack: "
            f"{sorted(unknown)}."
        )
    return [_images_in(folder / name) for name in names]


def _images_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    # Strings: as Path objects, ImageNet's million files take a minute.
    return [
        os.path.join(folder, name)
        for name in sorted(os.listdir(folder))
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]


class FolderImages(EncodedImages):
    """Images of a folder of image files, one subfolder a class.

    Args:
        listing: the files; `image_folder.list_images` lists a split.

    Attributes:
        paths: the files, in evaluation order.
    """

    def __init__(self, listing: Listing):
        self.paths, self._labels, self.class_names = listing

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.paths)

    @property
    def labels(self) -> np.ndarray:
        """int32, (N,): in the order of `paths`."""
        return self._labels

    def select(self, mask: np.ndarray) -> "FolderImages":
        """Returns some of the images, in their order.

        Args:
            mask: bool, (N,): which.

        Returns:
            These, with the same class names.
        """
        paths = list(itertools.compress(self.paths, mask))
        return FolderImages(Listing(paths, self.labels[mask], self.class_names))

    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the files: a key is a place in `paths`.

        Returns:
            Functions over tensors in host memory.
        """
        import tensorflow as tf

        from keras_resnetv2.data import tensorflow_stream

        count = len(self)
        # Names that are no UTF-8 are passed on as they are.
        paths = tensorflow_stream.to_host([os.fsencode(p) for p in self.paths])
        labels = tensorflow_stream.to_host(self.labels)

        def keys(seed):
            if seed is None:
                return tf.data.Dataset.range(count)
            order = tensorflow_stream.permutation(count, seed)
            return tf.data.Dataset.from_tensor_slices(tf.cast(order, tf.int64))

        def name(key):
            return tf.gather(paths, key)

        def read(key):
            return tf.io.read_file(name(key)), tf.gather(labels, key)

        return TFSource(keys, read, name)
