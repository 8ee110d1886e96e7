"""On which devices a training runs, and in which precision."""

import contextlib

import keras

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2.training.experiment import CHOICES


def make_strategy(replicas: int | None = None):
    """A `MirroredStrategy` where there is more than one device to use.

    Args:
        replicas: None for all GPUs; otherwise that many of them, or, where
            there is no GPU, that many logical CPUs (to try things out: they
            share the cores).

    Returns:
        A `tf.distribute.MirroredStrategy`, or None for a single device.

    Raises:
        ValueError: if there are fewer GPUs, or the backend is not TensorFlow.
    """
    if replicas is not None:
        check_count("replicas", replicas)
    if keras.backend.backend() != "tensorflow":
        if replicas not in (None, 1):
            raise ValueError(
                f"replicas={replicas} needs tf.distribute, and Keras runs on "
                f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow, or "
                "leave replicas out."
            )
        return None
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if replicas is None:
        replicas = max(1, len(gpus))
    if replicas == 1:
        return None
    if not gpus:
        _make_logical_cpus(tf, replicas)
        devices = [f"/cpu:{i}" for i in range(replicas)]
    elif replicas <= len(gpus):
        devices = [f"/gpu:{i}" for i in range(replicas)]
    else:
        raise ValueError(
            f"replicas={replicas}, but only {len(gpus)} GPU(s) are visible. "
            "Ask for no more than that, or leave replicas out to use all."
        )
    return tf.distribute.MirroredStrategy(devices)


def _make_logical_cpus(tf, count):
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    except RuntimeError as error:  # TensorFlow has already run something
        existing = len(tf.config.list_logical_devices("CPU"))
        if existing < count:
            raise ValueError(
                f"replicas={count} must be set up before TensorFlow first "
                f"runs; it already has {existing} CPU device(s). Start a new "
                "process for it."
            ) from error


def scope(strategy) -> contextlib.AbstractContextManager:
    """The strategy's scope; of None, a context that does nothing."""
    return strategy.scope() if strategy else contextlib.nullcontext()


@contextlib.contextmanager
def precision(name: str):
    """Builds layers under a dtype policy, then restores the one before.

    Args:
        name: "float32", "mixed_bfloat16", "mixed_float16" or "float64".

    Raises:
        ValueError: for another name.
    """
    check_choice("precision", name, CHOICES["precision"])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
