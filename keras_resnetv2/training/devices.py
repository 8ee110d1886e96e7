"""The devices and the precision of a training, and the devices' names."""

import collections
import contextlib
import importlib.metadata

import keras

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2._processes import available_cores, processor
from keras_resnetv2.training import workers
from keras_resnetv2.training.experiment import CHOICES


def make_strategy(replicas: int | None = None):
    """Makes a `tf.distribute` strategy, if there are several devices to use.

    Args:
        replicas: number of GPUs; None for all. Without a GPU, the number of
            logical CPUs. They share the cores and are only for trying things
            out. If TF_CONFIG names several workers, their devices together,
            all of which are used.

    Returns:
        A `tf.distribute.MirroredStrategy`, or None for a single device. If
        TF_CONFIG names several workers, a
        `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        OSError: if another worker does not come.
        ValueError: if there are fewer GPUs, the backend is not TensorFlow, or
            TF_CONFIG is malformed.
    """
    if replicas is not None:
        check_count("replicas", replicas)
    _, others = workers.of_environment()
    if keras.backend.backend() != "tensorflow":
        if others:
            raise ValueError(
                f"TF_CONFIG names {len(others)} workers, but Keras runs on "
                f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow, or "
                "unset TF_CONFIG."
            )
        if replicas not in (None, 1):
            raise ValueError(
                f"replicas={replicas} needs tf.distribute, but Keras runs on "
                f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow, or "
                "omit replicas."
            )
        return None
    if others:
        return workers.make_strategy(replicas)
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
            "Give a smaller number, or omit replicas to use all."
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
                f"replicas={count} must be set before TensorFlow starts; it "
                f"already runs with {existing} CPU device(s). Start a new "
                "process."
            ) from error


def scope(strategy) -> contextlib.AbstractContextManager:
    """Returns the strategy's scope; for None, a context that does nothing."""
    return strategy.scope() if strategy else contextlib.nullcontext()


@contextlib.contextmanager
def precision(name: str):
    """Sets a dtype policy for new layers, and restores the old one at exit.

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


def has_accelerator() -> bool:
    """Returns whether the backend has a device other than CPUs."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    return keras.ops.zeros(()).device.type != "cpu"


def device() -> str:
    """Names the backend's devices: "2 x NVIDIA H200", "AMD EPYC, 2 cores".

    All visible GPUs count, whether they are used or not.
    """
    names = _ACCELERATORS[keras.backend.backend()]()
    if not names:
        return f"{processor()}, {available_cores()} cores"
    counts = collections.Counter(names)
    return ", ".join(
        name if count == 1 else f"{count} x {name}"
        for name, count in counts.items()
    )


def backend_version() -> str:
    """Returns the version of the backend's package."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        # The distribution may be tensorflow, tensorflow-cpu, ...
        import tensorflow

        return tensorflow.__version__
    return importlib.metadata.version(backend)


def _tensorflow_gpus():
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]


def _jax_devices():
    import jax

    return [
        device.device_kind
        for device in jax.local_devices()
        if device.platform != "cpu"
    ]


def _torch_gpus():
    import torch

    return [
        torch.cuda.get_device_name(number)
        for number in range(torch.cuda.device_count())
    ]


_ACCELERATORS = {
    "tensorflow": _tensorflow_gpus,
    "jax": _jax_devices,
    "torch": _torch_gpus,
}
