"""Code in a process of its own: another backend, other devices, an end."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import socket
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


def without_grappler(disabled=True):
    """Most graphs run a few times: it does not pay to optimize them."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": disabled}
        )


def run_python(code, *arguments, backend="tensorflow", fresh=False):
    """What a script prints; it must end well.

    On the tests' own backend it finds that imported, unless it is `fresh`.
    """
    if backend == keras.backend.backend() and not fresh:
        done = run_forked(code, *arguments)
    else:
        done = Started(code, *arguments, KERAS_BACKEND=backend).wait()
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_forked(code, *arguments):
    """As `python -c` would run it, less the seconds of the imports.

    On the tests' own backend. Returns the exit code and what was printed.
    """
    return Forked(code, *arguments).wait()


class Forked:
    """A process of `run_forked` that goes on by itself."""

    def __init__(self, code, *arguments, **environment):
        self.arguments = arguments
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [
            pathlib.Path(self._folder.name, name)
            for name in ("stdout", "stderr")
        ]
        self.process = _FORKS.Process(
            target=_execute,
            args=(
                code,
                ["-c", *map(str, arguments)],
                list(map(str, self._outputs)),
                environment,
            ),
        )
        self.process.start()

    def send(self, number):
        """Sends it a signal."""
        os.kill(self.process.pid, number)

    def wait(self, seconds=None):
        """Its end; within so many seconds, if they are given."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"It went on after {seconds} seconds.")
        stdout, stderr = (output.read_text() for output in self._outputs)
        self._folder.cleanup()
        return subprocess.CompletedProcess(
            self.arguments, self.process.exitcode, stdout, stderr
        )


class Started:
    """A process on another backend than the tests', which a fork cannot be."""

    def __init__(self, code, *arguments, **environment):
        self.arguments = arguments
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, number):
        self._process.send_signal(number)

    def wait(self, seconds=None):
        try:
            stdout, stderr = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise TimeoutError(f"It went on after {seconds} seconds.")
        return subprocess.CompletedProcess(
            self.arguments, self._process.returncode, stdout, stderr
        )


def free_addresses(count):
    """Addresses of this machine that nobody listens on."""
    with contextlib.ExitStack() as taken:
        ports = []
        for _ in range(count):
            holder = taken.enter_context(socket.socket())
            holder.bind(("127.0.0.1", 0))
            ports.append(holder.getsockname()[1])
    return [f"127.0.0.1:{port}" for port in ports]


def start_workers(code, arguments_of_each, workers=None, backend="tensorflow"):
    """Starts a script as the workers of a TF_CONFIG, or on JAX of Keras's."""
    workers = workers or free_addresses(len(arguments_of_each))
    if backend == "jax":
        return [
            Started(code, *arguments, **keras_variables(workers, index))
            for index, arguments in enumerate(arguments_of_each)
        ]
    return [
        Forked(code, *arguments, TF_CONFIG=tf_config(workers, index))
        for index, arguments in enumerate(arguments_of_each)
    ]


def keras_variables(workers, index):
    """What tells Keras on JAX of these workers."""
    return {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(workers),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(workers)),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }


def tf_config(workers, index):
    """The variable's value for one of these workers."""
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": workers}, "task": task})


def run_command(tool, *arguments):
    """A command line, likewise."""
    return run_forked(_COMMAND, _TOOLS / f"{tool}.py", *arguments)


def _execute(code, arguments, outputs, environment):
    os.environ.update(environment)
    without_grappler()
    for descriptor, output in enumerate(outputs, 1):
        file = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
    sys.argv = arguments
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
