"""Loads datasets by name: as arrays, as tf.data or as encoded images."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data import cifar10_sample, fake, image_folder, tfds_splits
from keras_resnetv2.data.image_data import EncodedImages, ImageData
from keras_resnetv2.data.image_files import PIXEL_LIMIT
from keras_resnetv2.data.image_folder import FolderImages
from keras_resnetv2.data.resizing import resize_all
from keras_resnetv2.data.tfds_images import TFDSImages

if TYPE_CHECKING:
    import tensorflow as tf

SPLITS = ("train", "test")


def _load_sample(name, split, image_size, **unused):
    data = cifar10_sample.load(split)
    return ImageData(
        resize_all(data.images, image_size), data.labels, data.class_names
    )


def _load_fake(name, split, image_size, **unused):
    return fake.load(split, image_size)


DATASETS = {
    "cifar10": tfds_splits.load,
    "cifar100": tfds_splits.load,
    "cifar10_sample": _load_sample,
    "fake": _load_fake,
}


# These consist of arrays: there are no image files to stream.
IN_MEMORY = {
    name for name, load in DATASETS.items() if load is not tfds_splits.load
}


def load_arrays(
    name: str | os.PathLike[str],
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    download: bool = True,
    pixel_limit: int = PIXEL_LIMIT,
    folder_rule: int = image_folder.RULE,
) -> ImageData:
    """Loads one split of a dataset into memory.

    Args:
        name: "cifar10" or "cifar100" (from TFDS; fine labels),
            "cifar10_sample" (2,560 and 500 real images that come with the
            package), "fake" (512 and 128 synthetic images), the path of a
            folder of images (`root/train/CLASS/` and `root/test/CLASS/`, or
            "val", "valid", "validation" instead of "test"; or `root/CLASS/`,
            where every fifth image of a class is for testing), or TFDS's name
            of any other dataset of labelled images.
        split: "train" or "test" ("validation" if a dataset has no test split).
        data_dir: where TFDS keeps its data; `None` means TFDS's own default.
        image_size: side in pixels. Images of another size are scaled, with
            antialiasing, until the shorter side has this length. Then the
            centre is cut out. Required if images differ in size; `None` keeps
            their size.
        download: whether TFDS may download a dataset that is not prepared.
        pixel_limit: the largest number of pixels of an image in a folder.
        folder_rule: how a folder's files are listed and turned upright. 1 is
            the rule of 0.1.0; trainings begun with 0.1.0 resume with it.

    Returns:
        The images, always in the same order.

    Raises:
        FileNotFoundError: if the dataset is missing and cannot be prepared.
        ImportError: if TFDS is required but missing.
        ValueError: for an unknown name or split, images that differ in size
            without image_size, or images of more than 8 GiB.

    Example:
        >>> load_arrays("cifar10_sample", "test").images.shape
        (500, 32, 32, 3)
    """
    check_choice("split", split, SPLITS)
    if image_size is not None:
        check_count("image_size", image_size)
    name = os.path.expanduser(name)
    if _is_folder(name):
        return image_folder.load(
            name, split, image_size, rule=folder_rule, pixel_limit=pixel_limit
        )
    with _naming_the_known(name, DATASETS):
        return DATASETS.get(name, tfds_splits.load)(
            name,
            split,
            image_size=image_size,
            data_dir=data_dir,
            download=download,
        )


def open_images(
    name: str | os.PathLike[str],
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    pixel_limit: int = PIXEL_LIMIT,
    folder_rule: int = image_folder.RULE,
) -> EncodedImages:
    """Opens one split of a dataset whose images are decoded when needed.

    It is for datasets that do not fit into memory, such as ImageNet, and for
    the paper's augmentation of ImageNet. Pass the result to `training_batches`
    and `evaluation_batches`.

    Args:
        name: the path of a folder of images, with the layout described in
            `load_arrays`, or TFDS's name of a dataset of labelled images, such
            as "imagenet2012".
        split: "train" or "test" ("validation" if a dataset has no test split
            with labels, like ImageNet).
        data_dir: where TFDS keeps its data; `None` means TFDS's own default.
        download: whether TFDS may download a dataset that is not prepared.
        pixel_limit: see `load_arrays`.
        folder_rule: see `load_arrays`.

    Returns:
        The images, always in the same order.

    Raises:
        FileNotFoundError: if the dataset is missing and cannot be prepared.
        ImportError: if TFDS is required but missing.
        ValueError: for an unknown name or split, or a dataset that cannot be
            streamed.

    Reference:
        Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge,
        IJCV 2015 (https://arxiv.org/abs/1409.0575).
    """
    check_choice("split", split, SPLITS)
    name = os.path.expanduser(name)
    if name in IN_MEMORY:
        raise ValueError(
            f"{name!r} does not consist of image files, so it cannot be "
            "opened with open_images. Use load_arrays, with the augmentation "
            "'crop_flip' or 'none'."
        )
    if _is_folder(name):
        listing = image_folder.list_images(name, split, folder_rule)
        return FolderImages(listing, folder_rule, pixel_limit)
    with _naming_the_known(name, set(DATASETS).difference(IN_MEMORY)):
        found = tfds_splits.find_split(name, split, data_dir, download)
        return TFDSImages(found)


def check_readable(name: str | os.PathLike[str]) -> None:
    """Checks that the packages a dataset needs are installed.

    Args:
        name: see `load_arrays`.

    Raises:
        ImportError: if one is missing; says what to install.
    """
    name = os.path.expanduser(name)
    if name not in IN_MEMORY and not _is_folder(name):
        tfds_splits.check_tfds(name)


@contextlib.contextmanager
def _naming_the_known(name, known):
    try:
        yield
    except tfds_splits.UnknownDatasetError as error:
        raise ValueError(
            f"Unknown dataset {name!r}; expected one of {sorted(known)}, the "
            f"path of a folder of images (there is no such folder), or a "
            f"dataset name of TFDS."
        ) from error


def _is_folder(name: str) -> bool:
    # An empty path would mean the current folder.
    return bool(name) and name not in DATASETS and Path(name).is_dir()


def load_tf_data(
    name: str | os.PathLike[str], split: str = "train", **options
) -> "tf.data.Dataset":
    """Loads one split of a dataset as a `tf.data.Dataset`.

    Args:
        name: see `load_arrays`.
        split: see `load_arrays`.
        **options: the other arguments of `load_arrays`.

    Returns:
        Unbatched elements of a uint8 image (height, width, 3) and an int32
        label, in the order of `load_arrays`.

    Raises:
        ImportError: if TensorFlow is missing; see also `load_arrays`.
    """
    check_installed("A tf.data pipeline")
    from keras_resnetv2.data import tensorflow_stream

    return tensorflow_stream.as_dataset(load_arrays(name, split, **options))
