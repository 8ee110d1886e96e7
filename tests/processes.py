"""Code in a process of its own: another backend, other devices, an end."""

import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile

import keras

_TOOLS = pathlib.Path(__file__).parents[1] / "tools"
_COMMAND = """
import runpy, sys
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Forks of a process that has imported what takes seconds, and run nothing.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["keras_resnetv2.training.loop"])


def run_python(code, *arguments, backend="tensorflow", fresh=False):
    """What a script prints; it must end well.

    On the tests' own backend it finds that imported, unless it is `fresh`.
    """
    if backend == keras.backend.backend() and not fresh:
        done = run_forked(code, *arguments)
    else:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_forked(code, *arguments):
    """As `python -c` would run it, less the seconds of the imports.

    On the tests' own backend. Returns the exit code and what was printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        process = _FORKS.Process(
            target=_execute, args=(code, ["-c", *map(str, arguments)], outputs)
        )
        process.start()
        process.join()
        return subprocess.CompletedProcess(
            arguments,
            process.exitcode,
            *(pathlib.Path(output).read_text() for output in outputs),
        )


def run_command(tool, *arguments):
    """A command line, likewise."""
    return run_forked(_COMMAND, _TOOLS / f"{tool}.py", *arguments)


def _execute(code, arguments, outputs):
    for descriptor, output in enumerate(outputs, 1):
        file = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
    sys.argv = arguments
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
