"""Libraries that only some datasets need, imported when they are used."""

from types import ModuleType


def import_tensorflow() -> ModuleType:
    """Imports tensorflow, or says how to do without.

    Returns:
        The module `tensorflow`.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise ImportError(
            f"Streaming a dataset of TensorFlow Datasets needs TensorFlow "
            f"({error}). Install it with `pip install tensorflow`, or use an "
            f"image folder, which framework='numpy' reads without it."
        ) from error
    return tensorflow


def import_tfds() -> ModuleType:
    """Imports tensorflow_datasets, or says how to get it.

    Returns:
        The module `tensorflow_datasets`.

    Raises:
        ImportError: If it, or a package it needs, is not installed.
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
