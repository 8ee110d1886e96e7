"""How a module of this package is run in a process of its own."""

import os
import pathlib
import sys

_ROOT = pathlib.Path(__file__).parents[1]


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
