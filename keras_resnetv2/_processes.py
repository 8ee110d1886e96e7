"""This process's cores, and how a module is run in a process of its own."""

import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]
_SHOWN = 2000  # characters of an error's end


def available_cores() -> int:
    """Cores of this process: not all of the machine's may be."""
    if hasattr(os, "sched_getaffinity"):  # macOS and Windows cannot tell
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def module_command(name: str) -> list[str]:
    """The command line of `python -m NAME`, of this copy of the package.

    Args:
        name: of the module, "keras_resnetv2.jobs.child", say.
    """
    # -P: the working directory may be that of another copy.
    return [sys.executable, "-P", "-m", name]


def module_environment(**changes: str) -> dict[str, str]:
    """This process's environment, in which that command finds this copy.

    Args:
        **changes: variables that replace it or are added.
    """
    path = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, path))
    return {**os.environ, "PYTHONPATH": path, **changes}


def run_on_tensorflow(name: str, *arguments: str | os.PathLike) -> str | None:
    """Runs a module to its end, on TensorFlow and a CPU.

    Args:
        name: of the module.
        *arguments: the command line's.

    Returns:
        None if it ended well, otherwise how it ended.
    """
    done = subprocess.run(
        [*module_command(name), *map(str, arguments)],
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
