"""A module of this package in a process of its own."""

import os
import subprocess

from keras_resnetv2._processes import module_command, module_environment

_SHOWN = 2000  # characters of an error's end


def run_module(module: str, *arguments: str | os.PathLike) -> str | None:
    """Runs `python -m keras_resnetv2.export.MODULE`, on TensorFlow and a CPU.

    Args:
        module: its name.
        *arguments: the command line's.

    Returns:
        None if it ended well, otherwise how it ended.
    """
    done = subprocess.run(
        [
            *module_command(f"keras_resnetv2.export.{module}"),
            *map(str, arguments),
        ],
        env=module_environment(
            KERAS_BACKEND="tensorflow",
            # The GPU's memory is the calling process's.
            CUDA_VISIBLE_DEVICES="-1",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if not done.returncode:
        return None
    return f"exit status {done.returncode}: {done.stderr[-_SHOWN:].strip()}"
