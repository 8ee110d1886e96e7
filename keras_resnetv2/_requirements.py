"""What does not come with the package itself, and which extra brings it."""

import importlib.util

# Who needs it: extras of setup.py, with the names that the packages needed are
# imported by.
_NEEDS = {
    "A training": {"train": ("matplotlib",)},
    "An evaluation": {"train": ("matplotlib",)},
    "A plot": {"train": ("matplotlib",)},
    "A study": {"train": ("matplotlib", "scipy")},  # which ends in a report
    "A report": {"train": ("matplotlib", "scipy")},
    "A search": {"tuner": ("keras_tuner", "matplotlib")},
    "A Bayesian search": {"tuner": ("scipy", "sklearn")},
    "A data set of TensorFlow Datasets": {
        "cpu": ("tensorflow",),
        # TFDS imports the second one while preparing, and does not say so.
        "train": ("tensorflow_datasets", "importlib_resources"),
    },
    "A tf.data pipeline": {"cpu": ("tensorflow",)},
    "A SavedModel": {"cpu": ("tensorflow",)},
}


def check_installed(who: str) -> None:
    """Checks, without importing any, that what is needed is installed.

    Args:
        who: needs it, a key of the table.

    Raises:
        ImportError: names what is missing, and what to install.
    """
    missing = {
        extra: absent
        for extra, names in _NEEDS[who].items()
        if (absent := [n for n in names if not importlib.util.find_spec(n)])
    }
    if missing:
        names = sum(missing.values(), [])
        gpus = " ([tensorflow] in place of [cpu] on GPUs)"
        raise ImportError(
            f"{who} needs {', '.join(names)}, which "
            f"{'is' if len(names) == 1 else 'are'} not installed. Run: pip "
            "install "
            f'"keras-resnetv2[{",".join(missing)}]"'
            f"{gpus if 'cpu' in missing else ''}."
        )
