"""Checks that optional packages are installed; else names the extra."""

import importlib.util

# Task -> extras of setup.py, with the import names of the needed packages.
_NEEDS = {
    "A training": {"train": ("matplotlib",)},
    "An evaluation": {"train": ("matplotlib",)},
    "A plot": {"train": ("matplotlib",)},
    "A study": {"train": ("matplotlib", "scipy")},  # it ends with a report
    "A report": {"train": ("matplotlib", "scipy")},
    "A search": {"tuner": ("keras_tuner", "matplotlib")},
    "A Bayesian search": {"tuner": ("scipy", "sklearn")},
    "A data set of TensorFlow Datasets": {
        "cpu": ("tensorflow",),
        # TFDS imports the second one to prepare data, but does not declare it.
        "train": ("tensorflow_datasets", "importlib_resources"),
    },
    "A tf.data pipeline": {"cpu": ("tensorflow",)},
    "A SavedModel": {"cpu": ("tensorflow",)},
    "A .safetensors file": {"weights": ("safetensors",)},
    "A file of PyTorch": {"torch": ("torch",)},
    "A network of the Hugging Face hub": {"hub": ("huggingface_hub",)},
}


def check_installed(who: str) -> None:
    """Checks that the needed packages are installed, without importing them.

    Args:
        who: the task, a key of the table.

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
