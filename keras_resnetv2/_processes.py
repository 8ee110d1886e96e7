"""This process's processor and cores; runs modules in new processes."""

import os
import pathlib
import platform
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]
_SHOWN = 2000  # characters of an error's end


def processor() -> str:
    """Returns the processor's name."""
    information = pathlib.Path("/proc/cpuinfo")  # Linux; elsewhere platform
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def module_command(name: str) -> list[str]:
    """Returns a command `python -m NAME` that uses this copy of the package.

    Args:
        name: name of the module, such as "keras_resnetv2.jobs.child".
    """
    # -P: the working directory may contain another copy.
    return [sys.executable, "-P", "-m", name]


def module_environment(**changes: str) -> dict[str, str]:
    """Returns this process's environment, for `module_command`.

    Args:
        **changes: variables to replace or add.
    """
    path = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, path))
    return {**os.environ, "PYTHONPATH": path, **changes}


def run_on_cpu(name: str, *arguments: str | os.PathLike) -> str | None:
    """Runs a module on a CPU, with Keras on TensorFlow, and waits for its end.

    Args:
        name: name of the module.
        *arguments: arguments of the command line.

    Returns:
        None if it succeeded, otherwise a description of the failure.
    """
    done = subprocess.run(
        [*module_command(name), *map(str, arguments)],
        env=module_environment(
            KERAS_BACKEND="tensorflow",
            # The calling process uses the GPU's memory.
            CUDA_VISIBLE_DEVICES="-1",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if not done.returncode:
        return None
    return f"exit status {done.returncode}: {done.stderr[-_SHOWN:].strip()}"
