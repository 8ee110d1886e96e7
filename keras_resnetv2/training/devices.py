"""The devices and the precision of a training, and the devices' names."""

import collections
import contextlib
import importlib.metadata

import keras

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2._processes import available_cores, processor
from keras_resnetv2.models.description import dtype_policy
from keras_resnetv2.models.network import replicas_in
from keras_resnetv2.training import workers
from keras_resnetv2.training.experiment import CHOICES


def make_strategy(replicas: int | None = None):
    """Makes what spreads a training, if there are several devices to use.

    Args:
        replicas: number of GPUs; None for all. Without a GPU, the number of
            logical CPUs. They share the cores and are only for trying things
            out. If the environment names several workers (TF_CONFIG, or on JAX
            Keras's variables), their devices together, all of which are used.

    Returns:
        None for a single device. On TensorFlow, a
        `tf.distribute.MirroredStrategy`; if TF_CONFIG names several workers, a
        `tf.distribute.MultiWorkerMirroredStrategy`. On JAX, a
        `keras.distribution.DataParallel`. A network is built in its `scope()`;
        on JAX it is also trained there.

    Raises:
        OSError: if another worker does not come.
        ValueError: if there are fewer GPUs, if TensorFlow or JAX has already
            started with fewer logical CPUs, on several devices of PyTorch, or
            if the environment is malformed.
    """
    if replicas is not None:
        check_count("replicas", replicas)
    _, others = workers.of_environment()
    if others:
        return workers.make_strategy(replicas)
    if replicas == 1:
        return None
    return _STRATEGIES[keras.backend.backend()](replicas)


def _on_tensorflow(replicas):
    import tensorflow as tf

    gpus = len(tf.config.list_physical_devices("GPU"))
    if replicas is None:
        replicas = max(1, gpus)
    if replicas == 1:
        return None
    if gpus:
        _check_gpus(replicas, gpus)
    else:
        _make_logical_cpus(tf, replicas)
    kind = "gpu" if gpus else "cpu"
    return tf.distribute.MirroredStrategy(
        [f"/{kind}:{i}" for i in range(replicas)]
    )


def _on_jax(replicas):
    import jax

    if replicas is not None:
        # Also on GPUs: to look for these starts JAX.
        with contextlib.suppress(RuntimeError):  # it has already started
            jax.config.update("jax_num_cpu_devices", replicas)
    devices = keras.distribution.list_devices()
    if replicas is None:
        replicas = len(devices) if has_accelerator() else 1
    if replicas == 1:
        return None
    if has_accelerator():
        _check_gpus(replicas, len(devices))
    elif len(devices) < replicas:
        raise _started_with_fewer_cpus("JAX", replicas, len(devices))
    return keras.distribution.DataParallel(
        devices=devices[:replicas], auto_shard_dataset=False
    )


def _on_torch(replicas):
    if replicas is not None:
        raise ValueError(
            f"replicas={replicas} needs TensorFlow or JAX, but Keras runs on "
            "torch. Set KERAS_BACKEND=tensorflow or jax, or omit replicas."
        )


_STRATEGIES = {
    "tensorflow": _on_tensorflow,
    "jax": _on_jax,
    "torch": _on_torch,
}


def _check_gpus(replicas, gpus):
    if replicas > gpus:
        raise ValueError(
            f"replicas={replicas}, but only {gpus} GPU(s) are visible. "
            "Give a smaller number, or omit replicas to use all."
        )


def _make_logical_cpus(tf, count):
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    except RuntimeError as error:  # TensorFlow has already run something
        existing = len(tf.config.list_logical_devices("CPU"))
        if existing < count:
            raise _started_with_fewer_cpus(
                "TensorFlow", count, existing
            ) from error


def _started_with_fewer_cpus(engine, replicas, existing):
    return ValueError(
        f"replicas={replicas} must be set before {engine} starts; it already "
        f"runs with {existing} CPU device(s). Start a new process."
    )


def check_batch_normalization(kind: str, strategy) -> None:
    """Checks that a strategy normalizes with these statistics.

    Args:
        kind: "per_replica" or "synchronized".
        strategy: from `make_strategy`.

    Raises:
        ValueError: for "per_replica" on several devices of JAX.
    """
    if (
        strategy is not None
        and keras.backend.backend() == "jax"
        and kind == "per_replica"
    ):
        raise ValueError(
            "On JAX, batch normalization uses the statistics of the whole "
            f"batch; received batch_normalization={kind!r} and "
            f"{replicas_in(strategy)} devices. Give "
            "--batch_normalization=synchronized (in Python, in options), or "
            "--replicas=1 to train on one device."
        )


def scope(strategy) -> contextlib.AbstractContextManager:
    """Returns the strategy's scope; for None, a context that does nothing."""
    return strategy.scope() if strategy else contextlib.nullcontext()


def scope_of_fit(strategy) -> contextlib.AbstractContextManager:
    """Returns the scope that `fit` needs.

    On TensorFlow a model knows its strategy. On JAX only the scope does.
    """
    return scope(strategy if keras.backend.backend() == "jax" else None)


@contextlib.contextmanager
def no_scope():
    """Leaves a scope of JAX for a while; a context manager."""
    if keras.backend.backend() != "jax":
        yield
        return
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def precision(name: str) -> contextlib.AbstractContextManager:
    """Sets a dtype policy for new layers, and restores the old one at exit.

    Args:
        name: "float32", "mixed_bfloat16", "mixed_float16" or "float64".

    Raises:
        ValueError: for another name.
    """
    check_choice("precision", name, CHOICES["precision"])
    return dtype_policy(name)


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
