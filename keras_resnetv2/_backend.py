"""Keras needs a backend; where there is none, say what to install."""

import importlib.util
import json
import os
import pathlib

_INSTALL = {
    "tensorflow": 'pip install "keras-resnetv2[tensorflow]" (or [cpu])',
    "jax": "pip install jax, with KERAS_BACKEND=jax in the environment",
    "torch": "pip install torch, with KERAS_BACKEND=torch in the environment",
}


def check_backend() -> None:
    """Checks, without importing any, that Keras's backend is installed.

    Raises:
        ImportError: if it is not; says what to install or to set.
    """
    wanted = _configured()
    if wanted not in _INSTALL or importlib.util.find_spec(wanted):
        return  # Keras itself says which names it knows
    others = [name for name in _INSTALL if importlib.util.find_spec(name)]
    if others:
        advice = f"Set KERAS_BACKEND={others[0]}, which is installed, or do: "
    else:
        advice = "Do: "
    choices = [_INSTALL[wanted]] if others else _INSTALL.values()
    raise ImportError(
        f"keras_resnetv2 needs Keras's backend, and {wanted} is not "
        f"installed. {advice}{'; or '.join(choices)}."
    )


def _configured() -> str:
    """The backend that Keras will take: environment, its file, its default."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras")
    try:
        settings = json.loads(pathlib.Path(home, "keras.json").read_text())
        return settings.get("backend", "tensorflow")
    except (OSError, ValueError):
        return "tensorflow"
