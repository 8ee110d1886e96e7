"""Measures how a training's speed grows with devices and with processes.

    python tools/benchmark_scaling.py --model=PreActResNet20 --images=64

It runs `train` on the bundled images: in one process with several logical
CPUs, and as several workers of one device that meet on this machine. Each
device gets the same number of images a step, and a core of its own as long as
there are enough. A speed is the highest and, in parentheses, the median of the
epochs after the first. It needs Linux, and uses no GPU.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile

import keras
from absl import app, flags

from keras_resnetv2._processes import (
    available_cores,
    module_environment,
    processor,
)
from keras_resnetv2.training.logs import read_rows

_TRAIN = pathlib.Path(__file__).with_name("train.py")
sys.path.append(str(_TRAIN.parents[1] / "tests"))
from processes import (  # noqa: E402
    free_addresses,
    keras_variables,
    tf_config,
)

_MODEL = flags.DEFINE_string("model", "PreActResNet20", "A name in MODELS.")
_IMAGES = flags.DEFINE_integer("images", 64, "Images a step of each device.")
_EPOCHS = flags.DEFINE_integer("epochs", 4, "Epochs of each training.")
_DEVICES = flags.DEFINE_list("devices", "1,2,4", "Devices of one process.")
_WORKERS = flags.DEFINE_list("workers", "2", "Workers of one device each.")


def measure(workers: int, devices: int, workdir: pathlib.Path) -> list[float]:
    """Trains, and returns the images per second of each epoch but the first.

    Args:
        workers: number of processes.
        devices: number of logical CPUs of each.
        workdir: a new directory.
    """
    command = [
        sys.executable,
        _TRAIN,
        f"--model={_MODEL.value}",
        "--dataset=cifar10_sample",
        f"--batch_size={_IMAGES.value * workers * devices}",
        f"--epochs={_EPOCHS.value}",
        f"--replicas={workers * devices}",
        f"--workdir={workdir}",
    ]
    if keras.backend.backend() == "jax":
        command.append("--batch_normalization=synchronized")
    addresses = free_addresses(workers)
    children = [
        subprocess.Popen(
            ["taskset", "--cpu-list", _cores(worker, devices), *command],
            env=module_environment(
                CUDA_VISIBLE_DEVICES="-1", **_variables(addresses, worker)
            ),
            stdout=subprocess.DEVNULL,
        )
        for worker in range(workers)
    ]
    if any([child.wait() for child in children]):
        raise ValueError("A training failed; its message is above.")
    return [
        row.images_per_second for row in read_rows(workdir / "metrics.csv")
    ][1:]


def _cores(worker, devices):
    first = worker * devices
    return ",".join(
        str(core % available_cores()) for core in range(first, first + devices)
    )


def _variables(addresses, worker):
    """Returns the environment of one of several workers."""
    if len(addresses) == 1:
        return {}
    if keras.backend.backend() == "jax":
        return keras_variables(addresses, worker)
    return {"TF_CONFIG": tf_config(addresses, worker)}


def main(argv):
    """Prints a row for each number of devices and of workers."""
    print(
        f"{processor()}, {available_cores()} cores; {_MODEL.value}, "
        f"{_IMAGES.value} images a device, {keras.backend.backend()}"
    )
    print("| workers | devices of each | images/s | of one device |")
    print("| ---: | ---: | ---: | ---: |")
    layouts = [(1, int(devices)) for devices in _DEVICES.value]
    layouts += [(int(workers), 1) for workers in _WORKERS.value]
    first = None
    for workers, devices in layouts:
        with tempfile.TemporaryDirectory() as folder:
            speeds = measure(workers, devices, pathlib.Path(folder, "run"))
        first = first or max(speeds)
        print(
            f"| {workers} | {devices} | {max(speeds):.0f} "
            f"({statistics.median(speeds):.0f}) | {max(speeds) / first:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
