"""Checks that packages are installed; else says what to install."""

import importlib.util
import json
import os
import pathlib

# Backend -> what to do if it is missing.
_INSTALL = {
    "tensorflow": 'pip install "keras-resnetv2[cpu]" (or [gpu])',
    "jax": "pip install jax, with KERAS_BACKEND=jax in the environment",
    "torch": "pip install torch, with KERAS_BACKEND=torch in the environment",
}
# What is to be done -> extras of setup.py, with the needed packages' import
# names.
_NEEDS = {
    "A training": {"train": ("matplotlib",)},
    "An evaluation": {"train": ("matplotlib",)},
    "A plot": {"train": ("matplotlib",)},
    "A study": {"train": ("matplotlib", "scipy")},  # it ends with a report
    "A report": {"train": ("matplotlib", "scipy")},
    "A search": {"tuner": ("keras_tuner", "matplotlib")},
    "A Bayesian search": {"tuner": ("scipy", "sklearn")},
    "A dataset of TensorFlow Datasets": {
        "cpu": ("tensorflow",),
        # TFDS imports the second one to prepare data, but does not declare it.
        "train": ("tensorflow_datasets", "importlib_resources"),
    },
    "A tf.data pipeline": {"cpu": ("tensorflow",)},
    "A SavedModel": {"cpu": ("tensorflow",)},
    # Keras's converters, and the runtimes that check what they write.
    "An ONNX file": {
        "cpu": ("tensorflow",),
        "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    },
    "A LiteRT file": {
        "cpu": ("tensorflow",),
        "litert": ("ai_edge_litert",),
    },
    "A .safetensors file": {"weights": ("safetensors",)},
    "A file of PyTorch": {"torch": ("torch",)},
    "A network of the Hugging Face hub": {"hub": ("huggingface_hub",)},
}


def check_installed(who: str) -> None:
    """Checks that the needed packages are installed, without importing them.

    Args:
        who: what is to be done, a key of the table.

    Raises:
        ImportError: if one is missing; names it, and what to install.
    """
    missing = {
        extra: absent
        for extra, names in _NEEDS[who].items()
        if (absent := [n for n in names if not importlib.util.find_spec(n)])
    }
    if missing:
        names = sum(missing.values(), [])
        gpus = " ([gpu] instead of [cpu] on GPUs)"
        raise ImportError(
            f"{who} needs {', '.join(names)}, which "
            f"{'is' if len(names) == 1 else 'are'} not installed. Run: pip "
            "install "
            f'"keras-resnetv2[{",".join(missing)}]"'
            f"{gpus if 'cpu' in missing else ''}."
        )


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
