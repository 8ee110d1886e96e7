"""Keras needs a backend; where there is none, say what to install."""

import importlib.util
import os

_BACKENDS = {
    "tensorflow": 'pip install "keras-resnetv2[tensorflow]" (or [cpu])',
    "jax": "pip install jax, and set KERAS_BACKEND=jax",
    "torch": "pip install torch, and set KERAS_BACKEND=torch",
}


def check_backend() -> None:
    """Checks, without importing any, that a Keras backend is installed.

    Raises:
        ImportError: if there is none, or not the one KERAS_BACKEND names.
    """
    wanted = os.environ.get("KERAS_BACKEND")
    if wanted and wanted not in _BACKENDS:
        return  # Keras itself says what it knows
    candidates = [wanted] if wanted else list(_BACKENDS)
    if any(importlib.util.find_spec(name) for name in candidates):
        return
    found = f"KERAS_BACKEND={wanted}" if wanted else "KERAS_BACKEND is not set"
    advice = "; or ".join(_BACKENDS[name] for name in candidates)
    raise ImportError(
        "keras_resnetv2 needs one of Keras's backends, and "
        f"{' / '.join(candidates)} is not installed ({found}). Do: {advice}."
    )
