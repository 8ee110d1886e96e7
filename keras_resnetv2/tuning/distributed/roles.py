"""Which part a process plays in a search on several machines.

keras-tuner's own three environment variables say it: KERASTUNER_ORACLE_IP and
KERASTUNER_ORACLE_PORT, the chief's address, alike for all, and
KERASTUNER_TUNER_ID, another one for each; the chief's contains "chief".
"""

import os
from typing import Literal

_HOST = "KERASTUNER_ORACLE_IP"
_PORT = "KERASTUNER_ORACLE_PORT"
_NAME = "KERASTUNER_TUNER_ID"


def role() -> Literal["chief", "worker"] | None:
    """What this process is, from the environment.

    Returns:
        "chief", "worker", or None for a search in one process.

    Raises:
        ValueError: if only some of the variables are set, or the port is none.
    """
    if not any(map(os.environ.get, (_HOST, _PORT, _NAME))):
        return None
    address()
    return "chief" if "chief" in tuner_id() else "worker"


def address() -> str:
    """The chief's address as the environment gives it, "HOST:PORT".

    Raises:
        ValueError: if one of the two is missing, or the port is none.
    """
    host, port = _get(_HOST, "the chief's address"), _get(_PORT, "its port")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(
            f"{_PORT} must be a port, a number from 1 to 65535; received "
            f"{port!r}."
        )
    return f"{host}:{port}"


def tuner_id() -> str:
    """This process's name among the tuners, from the environment.

    Raises:
        ValueError: if it is missing.
    """
    return _get(
        _NAME, "this process's own name, with 'chief' in the chief's alone"
    )


def _get(name, meaning):
    value = os.environ.get(name, "")
    if value:
        return value
    raise ValueError(
        f"{name} is not set: {meaning}. A search on several machines needs "
        f"{_HOST}, {_PORT} and {_NAME}; unset all three to search in one "
        "process."
    )
