"""Folders of images: as arrays, or encoded and decoded when needed."""

import concurrent.futures
import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging
from tqdm import tqdm

from keras_resnetv2._directories import kind_of_ours
from keras_resnetv2._files import user_path
from keras_resnetv2.data.image_data import EncodedImages, ImageData, TFSource
from keras_resnetv2.data.image_files import (
    PIXEL_LIMIT,
    read_image,
    reason_to_leave_out,
    suffixes,
)
from keras_resnetv2.data.resizing import ImageCollector, check_memory

# Determines which files are listed, and whether they are turned upright. 1 is
# the rule of 0.1.0. A training resumes with the rule that it began with.
RULE = 2
TRAIN_FOLDER = "train"
TEST_FOLDERS = ("test", "val", "valid", "validation")
# Every fifth image is for testing if the folder has no test images.
_TEST_EVERY = 5
_NAMED = 5  # number of skipped files that a warning names


class Listing(NamedTuple):
    """The files of one split.

    Attributes:
        paths: paths of the images, sorted by class, then by name.
        labels: int32, (N,): the class of each image.
        class_names: the names of the classes' folders, sorted.
    """

    paths: list[str]
    labels: np.ndarray
    class_names: tuple[str, ...]


def list_images(
    root: str | os.PathLike[str], split: str, rule: int = RULE
) -> Listing:
    """Lists one split of a folder of images, without decoding any.

    There are two layouts. In the first, training images are in
    `root/train/CLASS/`. Test images are in `root/test`, `root/val`,
    `root/valid` or `root/validation`: the first that has folders of classes. In
    the second, all images are in `root/CLASS/`. Sorted by name, every fifth
    image of a class is for testing; of two to four images, the last one is. A
    class includes the images in its subfolders.

    A file is an image if it has the suffix of a format in
    `image_files.FORMATS`. With any other suffix or none, its content decides.
    Files that are left out are logged with the reasons, and so are folders that
    this package wrote. Hidden files and folders are ignored.

    Args:
        root: the folder.
        split: "train" or "test".
        rule: 1 lists files as 0.1.0 did.

    Returns:
        The files, always in the same order.

    Raises:
        FileNotFoundError: if the split has no folder, or a class has no images.
        ValueError: if it has classes without training images, or this package
            wrote the folder.
    """
    root = Path(root)
    if rule == 1:
        files = _list_as_0_1_0(root, split)
    else:
        _refuse_ours(root)
        files = _list(root, split)
    names = tuple(files)
    empty = [name for name, paths in files.items() if not paths]
    # A class may be too small to have a test image.
    if len(empty) == len(names) or (empty and split == "train"):
        raise FileNotFoundError(
            f"{root}: no {split} images of the classes {empty}. Supported "
            f"formats: {', '.join(suffixes())}. Remove the folders that are "
            "not classes."
        )
    counts = [len(paths) for paths in files.values()]
    return Listing(
        paths=[path for paths in files.values() for path in paths],
        labels=np.repeat(np.arange(len(names)), counts).astype(np.int32),
        class_names=names,
    )


def _list(root: Path, split: str) -> dict[str, list[str]]:
    """Lists the images of a split by class."""
    train, test = _split_folders(root)
    classes = _by_name(train)
    if train == root:
        left_out = _LeftOut(root)
        files = {
            name: _images_of(folder, left_out)
            for name, folder in classes.items()
        }
        left_out.log()
        small = [name for name, f in files.items() if 1 < len(f) < _TEST_EVERY]
        if small:
            _warn(
                f"{root}: these classes have fewer than {_TEST_EVERY} images, "
                f"so only the last one is a test image: {_some(small)}. Put "
                "training and test images into separate folders "
                f"({root / TRAIN_FOLDER} and {root / TEST_FOLDERS[0]}), or "
                "test on a part of the training images (--held_out=0.2)."
            )
        return {
            name: [
                path
                for place, path in enumerate(paths)
                if _is_test(place, len(paths)) == (split == "test")
            ]
            for name, paths in files.items()
        }
    folder = train if split == "train" else test
    if folder is None:
        raise FileNotFoundError(
            f"There are no test images for {train}. Put them into "
            f"{root / TEST_FOLDERS[0]}, one folder per class, or test on a "
            "part of the training images (--held_out=0.1)."
        )
    own = classes if folder == train else _by_name(folder)
    unknown = sorted(set(own) - set(classes))
    if unknown:
        raise ValueError(
            f"{folder} has classes without training images: {unknown}."
        )
    left_out = _LeftOut(folder)
    files = {
        name: _images_of(own[name], left_out) if name in own else []
        for name in classes
    }
    left_out.log()
    return files


def list_pictures(paths: Sequence[str | os.PathLike]) -> list[str]:
    """Lists picture files, including those in folders.

    Args:
        paths: files and folders. Files are not checked. Folders are searched
            for pictures at any depth; files that are left out are logged.

    Raises:
        FileNotFoundError: if a path does not exist, or a folder has no
            pictures.
    """
    found = []
    for path in map(user_path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder.")
        if not path.is_dir():
            found.append(str(path))
            continue
        left_out = _LeftOut(path)
        pictures = _images_of(path, left_out)
        left_out.log()
        if not pictures:
            raise FileNotFoundError(f"{path} contains no pictures.")
        found += pictures
    return found


def _is_test(place: int, count: int) -> bool:
    if 1 < count < _TEST_EVERY:
        return place == count - 1
    return place % _TEST_EVERY == _TEST_EVERY - 1


def _split_folders(root: Path) -> tuple[Path, Path | None]:
    """Finds the folders of the training and the test images by their content.

    Returns:
        The two folders. The first is `root` if it contains the classes. The
        second is `None` if there is none.
    """
    folders = _by_name(root)
    if not folders:
        raise FileNotFoundError(
            f"{root} has no folders; expected one folder of images per class, "
            f"or {TRAIN_FOLDER!r} and {TEST_FOLDERS[0]!r} with such folders."
        )
    train = folders.get(TRAIN_FOLDER)
    if train is None:
        return root, None
    tests = [folders[name] for name in TEST_FOLDERS if name in folders]
    labelled = [folder for folder in tests if _has_classes(folder)]
    others = set(folders) - {TRAIN_FOLDER, *TEST_FOLDERS}
    if not _has_classes(train):
        if others and not labelled:
            return root, None
        raise FileNotFoundError(
            f"{train} has no folders of classes with images in them. Make one "
            "folder per class."
        )
    for folder in tests:
        if folder not in labelled:
            _warn(f"{folder} is not used: it has no folders of classes.")
        elif folder != labelled[0]:
            _warn(f"{folder} is not used: {labelled[0]} has the test images.")
    for name in sorted(others):
        _warn(f"{folders[name]} is not used: {train} has the classes.")
    return train, labelled[0] if labelled else None


def _subfolders(folder: Path) -> Iterator[Path]:
    """Generates subfolders, except hidden ones and this package's own."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not _is_hidden(path.name) and not _is_ours(path):
            yield path


def _by_name(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in _subfolders(folder)}


def _has_classes(folder: Path) -> bool:
    """Returns whether a folder has subfolders with images."""
    return any(
        _reason_to_leave_out(path) is None
        for subfolder in _subfolders(folder)
        for path in _walk(subfolder)
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_ours(folder: str | os.PathLike[str]) -> bool:
    """Returns whether this package wrote a folder, and logs it if so."""
    kind = kind_of_ours(folder)
    if kind:
        _warn(f"{folder} is left out: it is {kind}.")
    return kind is not None


def _refuse_ours(root: Path) -> None:
    kind = kind_of_ours(root)
    if kind:
        raise ValueError(
            f"{root} is {kind}, not a folder of images. Give a folder that "
            "contains one folder per class."
        )


def _walk(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Generates the files in a folder and in its subfolders."""
    seen = set()
    for path, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()  # a link to a folder already visited
            continue
        seen.add(real)
        folders[:] = sorted(
            name
            for name in folders
            if not _is_hidden(name) and not _is_ours(os.path.join(path, name))
        )
        # Strings, because Path objects take a minute for ImageNet's million.
        for name in sorted(files):
            if not _is_hidden(name):
                yield os.path.join(path, name)


class _LeftOut:
    """Files that are not images, grouped by reason."""

    def __init__(self, root: Path):
        self._root = root
        self._files: dict[str, list[str]] = {}

    def add(self, path: str, reason: str) -> None:
        self._files.setdefault(reason, []).append(path)

    def log(self) -> None:
        for reason, paths in self._files.items():
            names = [os.path.relpath(path, self._root) for path in paths]
            what = (
                "1 file is" if len(paths) == 1 else f"{len(paths):,} files are"
            )
            _warn(f"{self._root}: {what} left out ({reason}): {_some(names)}")


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (
        f" and {more:,} more" if more > 0 else ""
    )


# Cached, because a training lists a folder twice.
@functools.cache
def _warn(message: str) -> None:
    logging.warning("%s", message)


def _images_of(folder: Path, left_out: _LeftOut) -> list[str]:
    """Lists the images of a class, sorted by name."""
    paths = []
    for path in _walk(folder):
        if reason := _reason_to_leave_out(path):
            left_out.add(path, reason)
        else:
            paths.append(path)
    return paths


def _reason_to_leave_out(path: str) -> str | None:
    # A known suffix saves opening the file, which counts for a million files.
    known = path.lower().endswith(suffixes())
    return None if known else reason_to_leave_out(path)


def _list_as_0_1_0(root: Path, split: str) -> dict[str, list[str]]:
    """Rule 1: uses only the names of folders and files."""

    def classes(folder):
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )

    def images(folder):
        return [
            os.path.join(folder, name)
            for name in (sorted(os.listdir(folder)) if folder.is_dir() else ())
            if name.lower().endswith((".bmp", ".jpeg", ".jpg", ".png", ".webp"))
            and not name.startswith(".")
        ]

    train = root / TRAIN_FOLDER
    if train.is_dir():
        tests = (root / name for name in ("test", "val", "validation"))
        folder = train
        if split == "test":
            folder = next(
                (path for path in tests if path.is_dir()), root / "test"
            )
        return {name: images(folder / name) for name in classes(train)}
    return {
        name: [
            path
            for place, path in enumerate(images(root / name))
            if (place % _TEST_EVERY == _TEST_EVERY - 1) == (split == "test")
        ]
        for name in classes(root)
    }


def load(
    root: str | os.PathLike[str],
    split: str,
    image_size: int | None = None,
    *,
    rule: int = RULE,
    pixel_limit: int = PIXEL_LIMIT,
) -> ImageData:
    """Reads one split of a folder of images; see `list_images`.

    Args:
        root: the folder.
        split: "train" or "test".
        image_size: side of the squares to which the images are scaled and
            cropped; `None` keeps them, and then all must have the same size.
        rule: 1 lists files as 0.1.0 did, and does not turn images upright.
        pixel_limit: the largest number of pixels of an image.

    Returns:
        The images. The classes are the folders, sorted by name.

    Raises:
        FileNotFoundError: if the split has no folder or no images.
        ValueError: if the images differ in size and no size was given, a
            file cannot be read, or the images do not fit into memory.
    """
    images = FolderImages(list_images(root, split, rule), rule, pixel_limit)
    if image_size is None:
        check_memory(len(images), images.read(0).shape)
    collector = ImageCollector(len(images), image_size)
    for place, path in enumerate(images.paths):
        image = images.read(place)
        try:
            collector.add(image)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return ImageData(collector.images, images.labels, images.class_names)


class FolderImages(EncodedImages):
    """Images of a folder of image files, with one subfolder per class.

    Args:
        listing: the files, from `list_images`.
        rule: 1 does not turn images upright, as in 0.1.0.
        pixel_limit: the largest number of pixels of an image.

    Attributes:
        paths: the files, in evaluation order.
        upright: whether images are turned according to their EXIF orientation.
    """

    def __init__(self, listing: Listing, rule: int, pixel_limit: int):
        self.paths, self._labels, self.class_names = listing
        self.upright = rule > 1
        self._rule = rule
        self._pixel_limit = pixel_limit

    def read(self, place: int) -> np.ndarray:
        """Reads an image.

        Args:
            place: its index in `paths`.

        Returns:
            uint8, (height, width, 3).

        Raises:
            ValueError: if it cannot be read.
        """
        return read_image(
            self.paths[place],
            upright=self.upright,
            pixel_limit=self._pixel_limit,
        )

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.paths)

    @property
    def labels(self) -> np.ndarray:
        """int32, (N,): in the order of `paths`."""
        return self._labels

    def unreadable(self) -> list[ValueError]:
        """Reads every image, with a progress bar.

        Returns:
            The errors of the images that cannot be read, in order.
        """

        def error_of(place):
            try:
                self.read(place)
            except ValueError as error:
                return error

        with concurrent.futures.ThreadPoolExecutor() as pool:
            errors = tqdm(
                pool.map(error_of, range(len(self))),
                desc="Checking images",
                total=len(self),
                disable=None,
            )
            return [error for error in errors if error is not None]

    def select(self, mask: np.ndarray) -> "FolderImages":
        """Returns some of the images, in their order.

        Args:
            mask: bool, (N,): the images to return.

        Returns:
            These images, with the same class names.
        """
        paths = list(itertools.compress(self.paths, mask))
        listing = Listing(paths, self.labels[mask], self.class_names)
        return FolderImages(listing, self._rule, self._pixel_limit)

    def tf_source(self) -> TFSource:
        """Returns how tf.data reads the files: a key is an index in `paths`.

        Returns:
            Functions over tensors in host memory.
        """
        import tensorflow as tf

        from keras_resnetv2.data import tensorflow_stream

        count = len(self)
        # Names that are not UTF-8 are passed on unchanged.
        paths = tensorflow_stream.to_host([os.fsencode(p) for p in self.paths])
        labels = tensorflow_stream.to_host(self.labels)

        def keys(seed):
            if seed is None:
                return tf.data.Dataset.range(count)
            order = tensorflow_stream.permutation(count, seed)
            return tf.data.Dataset.from_tensor_slices(tf.cast(order, tf.int64))

        def read(key):
            file = tf.io.read_file(tf.gather(paths, key))
            return file, tf.gather(labels, key)

        def refuse(key):
            self.read(key)
            raise ValueError(
                f"{self.paths[key]} cannot be read as an image by TensorFlow, "
                "although Pillow can read it. Save it again."
            )

        return TFSource(
            keys, read, self.upright, self._pixel_limit, self.read, refuse
        )
