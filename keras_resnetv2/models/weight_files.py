"""The files of the published weights: in the package, or downloaded."""

import contextlib
import hashlib
import os
import pathlib
from urllib.parse import quote, urlsplit

import keras

from keras_resnetv2.models.published import PublishedWeights

ADDRESS = "KERAS_RESNETV2_WEIGHTS"
_BUNDLED = pathlib.Path(__file__).with_name("pretrained")
_CACHE = ("models", "keras_resnetv2")  # in Keras's own folder
_SCHEMES = ("https", "http", "file")


def path_of(row: PublishedWeights) -> str:
    """The path of a published file whose hash is right.

    Args:
        row: of the table. What is not bundled is downloaded, once, from the
            folder whose address the environment variable
            KERAS_RESNETV2_WEIGHTS has, into Keras's cache.

    Raises:
        OSError: if the bundled file is damaged, or the other one is not to be
            had, or has another hash.
        ValueError: if the address is none.
    """
    return _bundled(row) if row.bundled else _downloaded(row)


def _bundled(row):
    path = _BUNDLED / row.file
    if (found := _hash(path)) != row.sha256:
        raise OSError(
            f"{path} is damaged or missing: expected SHA-256 {row.sha256}; "
            f"found {found}. Install the package again."
        )
    return str(path)


def _downloaded(row):
    home = pathlib.Path(
        os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
    )
    cached = home.joinpath(*_CACHE, row.file)
    if _hash(cached) == row.sha256:
        return str(cached)
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if not address:
        raise _not_to_be_had(row, "It is not set.")
    if urlsplit(address).scheme not in _SCHEMES:
        raise ValueError(
            f"{ADDRESS} must be the address of a folder that begins with "
            f"{', '.join(f'{scheme}:' for scheme in _SCHEMES)}; received "
            f"{address!r}."
        )
    # Keras goes to /tmp where there is no such folder.
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    try:
        return keras.utils.get_file(
            row.file,
            f"{address}/{quote(row.file)}",
            cache_dir=str(home),
            cache_subdir=os.path.join(*_CACHE),
            file_hash=row.sha256,
        )
    except Exception as error:  # Keras has none of its own for a failed fetch
        raise _not_to_be_had(row, f"From {address!r}: {error}.") from error


def _hash(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "no file"


def _not_to_be_had(row, reason):
    return OSError(
        f"{row.file} ({row.size / 1e6:.1f} MB) is not a part of the package "
        "and comes from the folder whose address the environment variable "
        f"{ADDRESS} has. {reason} Set it to the address of a folder that has "
        f"the file with SHA-256 {row.sha256}."
    )
