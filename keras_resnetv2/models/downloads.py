"""Finds published files: bundled, in Keras's cache, or to be downloaded."""

import contextlib
import os
import pathlib
from urllib.parse import quote, urlsplit

import keras

from keras_resnetv2._files import file_sha256
from keras_resnetv2.models.published import PublishedWeights
from keras_resnetv2.models.published_elsewhere import File

ADDRESS = "KERAS_RESNETV2_WEIGHTS"
_BUNDLED = pathlib.Path(__file__).with_name("pretrained")
_CACHE = ("models", "keras_resnetv2")  # in Keras's folder
_SCHEMES = ("https", "http", "file")


def path_of(row: PublishedWeights | File) -> str:
    """Returns the path of a published file, and checks its hash.

    Args:
        row: row of a table. A file of this package that is not bundled is
            downloaded once into Keras's cache, from the folder at the address
            in the environment variable KERAS_RESNETV2_WEIGHTS. A file of
            keras.applications is downloaded from Keras's address, into the
            cache that keras.applications uses.

    Raises:
        OSError: if the file is damaged, or cannot be found or downloaded.
        ValueError: if the address is invalid, or the file has to be got by
            hand.
    """
    if isinstance(row, File):
        return _elsewhere(row)
    return _bundled(row) if row.bundled else _downloaded(row)


def _elsewhere(row):
    if row.md5 is None:
        raise ValueError(
            f"weights={row.tag!r} of {row.label} are not downloaded by this "
            f"package. Get {row.address} and give it, or its path, as weights=."
        )
    try:
        return keras.utils.get_file(
            row.file,
            row.address,
            cache_dir=str(_home()),
            cache_subdir="models",
            file_hash=row.md5,
        )
    except Exception as error:  # Keras has no class for a failed download
        raise OSError(
            f"{row.file} cannot be downloaded from {row.address}: {error}. "
            "Get it in another way, and give its path as weights=."
        ) from error


def _home():
    """Returns Keras's folder; without it, Keras would use /tmp."""
    home = pathlib.Path(
        os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    )
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    return home


def _bundled(row):
    path = _BUNDLED / row.file
    if (found := _hash(path)) != row.sha256:
        raise OSError(
            f"{path} is damaged or missing: expected SHA-256 {row.sha256}; "
            f"found {found}. Install the package again."
        )
    return str(path)


def _downloaded(row):
    home = _home()
    cached = home.joinpath(*_CACHE, row.file)
    if _hash(cached) == row.sha256:
        return str(cached)
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if not address:
        raise _not_to_be_had(row, f"{ADDRESS} is not set.")
    if urlsplit(address).scheme not in _SCHEMES:
        raise ValueError(
            f"{ADDRESS} must be a folder's address that begins with "
            f"{', '.join(f'{scheme}:' for scheme in _SCHEMES)}; received "
            f"{address!r}."
        )
    try:
        return keras.utils.get_file(
            row.file,
            f"{address}/{quote(row.file)}",
            cache_dir=str(home),
            cache_subdir=os.path.join(*_CACHE),
            file_hash=row.sha256,
        )
    except Exception as error:  # Keras has no class for a failed download
        raise _not_to_be_had(row, f"From {address!r}: {error}.") from error


def _hash(path):
    try:
        return file_sha256(path)
    except OSError:
        return "no file"


def _not_to_be_had(row, reason):
    return OSError(
        f"{row.file} ({row.size / 1e6:.1f} MB) is not part of the package. It "
        "is downloaded from the folder at the address in the environment "
        f"variable {ADDRESS}. {reason} Set it to the address of a folder that "
        f"has the file with SHA-256 {row.sha256}."
    )
