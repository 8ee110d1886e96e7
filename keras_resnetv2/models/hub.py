"""Addresses of the Hugging Face hub, and the download from it."""

import os
import pathlib
import re
from collections.abc import Collection

from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import one_line

_HUB = "hf:"
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^\s@]+))?")


def is_address(source: str | os.PathLike) -> bool:
    """Returns whether a text is meant as an address, not as a path."""
    return os.fspath(source).startswith(_HUB)


def download(address: str, files: Collection[str]) -> pathlib.Path:
    """Downloads files of a repository, unless they are there.

    Args:
        address: "hf://user/name", or "hf://user/name@revision".
        files: the files' names.

    Returns:
        The folder that they are in.

    Raises:
        ValueError: if this is no such address.
        ImportError: if huggingface_hub is missing; says what to install.
        OSError: if the hub cannot be reached, or does not have it.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(
            f"folder={address!r} is not the address of a repository; expected "
            'text like "hf://user/name" or "hf://user/name@revision".'
        )
    check_installed("A network of the Hugging Face hub")
    import huggingface_hub

    repository, revision = match.groups()
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=list(files)
        )
    except Exception as error:  # the client has one for each kind of failure
        raise OSError(
            f"{address} could not be downloaded ({one_line(str(error))}). "
            "Check the name, the revision and the network. For a private "
            "repository, log in: hf auth login."
        ) from error
    return pathlib.Path(folder)
