"""A process's role in a search on several machines.

keras-tuner's three environment variables set it.
"""

import os
from typing import Literal

_HOST = "KERASTUNER_ORACLE_IP"
_PORT = "KERASTUNER_ORACLE_PORT"
_NAME = "KERASTUNER_TUNER_ID"
_MEANINGS = {
    _HOST: "the chief's address",
    _PORT: "the chief's port",
    _NAME: "this process's name; only the chief's contains 'chief'",
}


def role() -> Literal["chief", "worker"] | None:
    """Reads this process's role from the environment.

    Returns:
        "chief", "worker", or None for a search in one process.

    Raises:
        ValueError: if only some of the variables are set, or the port is
            invalid.
    """
    given = {name: os.environ.get(name, "") for name in _MEANINGS}
    if not any(given.values()):
        return None
    for name, meaning in _MEANINGS.items():
        if not given[name]:
            raise ValueError(
                f"{name} ({meaning}) is not set. A search on several machines "
                f"needs {', '.join(_MEANINGS)}; unset all three to search in "
                "one process."
            )
    port = given[_PORT]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(
            f"{_PORT} must be a port number from 1 to 65535; received {port!r}."
        )
    return "chief" if "chief" in given[_NAME] else "worker"


def address() -> str:
    """Returns the chief's address, "HOST:PORT"."""
    return f"{os.environ[_HOST]}:{os.environ[_PORT]}"
