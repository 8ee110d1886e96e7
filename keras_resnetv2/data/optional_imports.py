"""Libraries that only some datasets need, imported when they are used."""

from types import ModuleType


def check_tensorflow(dataset: str) -> None:
    """Imports tensorflow, or says how to do without.

    Args:
        dataset: what is to be read.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{dataset!r} is taken for a dataset of TensorFlow Datasets, "
            f"which needs TensorFlow ({error}). Install it with `pip install "
            f"tensorflow`, or use an image folder, which is read without it."
        ) from error


def import_tfds() -> ModuleType:
    """Imports tensorflow_datasets, or says how to get it.

    Returns:
        The module `tensorflow_datasets`.

    Raises:
        ImportError: if it, or a package it needs, is not installed.
    """
    try:
        # TFDS imports this one while preparing, but does not declare it.
        import importlib_resources  # noqa: F401
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            f"This dataset needs TensorFlow Datasets ({error}). Install it "
            f"with `pip install tensorflow-datasets importlib_resources "
            f"tensorflow`; the datasets 'cifar10_sample', 'fake' and image "
            f"folders need none of it."
        ) from error
    return tensorflow_datasets
