"""Checks that Keras's backend is installed; else says what to install."""

import importlib.util
import json
import os
import pathlib

_INSTALL = {
    "tensorflow": 'pip install "keras-resnetv2[cpu]" (or [gpu])',
    "jax": "pip install jax, with KERAS_BACKEND=jax in the environment",
    "torch": "pip install torch, with KERAS_BACKEND=torch in the environment",
}


def check_backend() -> None:
    """Checks that Keras's backend is installed, without importing it.

    Raises:
        ImportError: if it is not; says what to install or to set.
    """
    wanted = _configured()
    if wanted not in _INSTALL or importlib.util.find_spec(wanted):
        return  # Keras itself lists the names that it knows
    others = [name for name in _INSTALL if importlib.util.find_spec(name)]
    if others:
        advice = f"Set KERAS_BACKEND={others[0]}, which is installed, or run: "
    else:
        advice = "Run: "
    choices = [_INSTALL[wanted]] if others else _INSTALL.values()
    raise ImportError(
        f"keras_resnetv2 needs Keras's backend, but {wanted} is not "
        f"installed. {advice}{'; or '.join(choices)}."
    )


def _configured() -> str:
    """Returns Keras's backend: from environment, its file, or its default."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras")
    try:
        settings = json.loads(pathlib.Path(home, "keras.json").read_text())
        return settings.get("backend", "tensorflow")
    except (OSError, ValueError):
        return "tensorflow"
