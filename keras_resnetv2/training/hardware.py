"""What a training ran on, in words and versions."""

import collections
import importlib.metadata
import os
import pathlib
import platform

import keras


def device() -> str:
    """The devices of Keras's backend: "2 x NVIDIA H200", "AMD EPYC, 2 cores".

    GPUs that are visible count, used or not.
    """
    names = _ACCELERATORS[keras.backend.backend()]()
    if not names:
        return f"{_processor()}, {_cores()} cores"
    counts = collections.Counter(names)
    return ", ".join(
        name if count == 1 else f"{count} x {name}"
        for name, count in counts.items()
    )


def backend_version() -> str:
    """Version of the backend's package, TensorFlow's say."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        # Its distribution may be tensorflow, tensorflow-cpu, ...
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


def _processor():
    information = pathlib.Path("/proc/cpuinfo")  # Linux; elsewhere platform
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores():
    # Not all may be this process's; macOS and Windows cannot tell.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
