"""The servers an export is proven against: how each starts, what it speaks.

Those with an interpreter of their own, named by the environment, stay out of
ours: their pins and TensorFlow's do not go together.
"""

import contextlib
import dataclasses
import importlib.util
import os
import pathlib
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import clients
from questions import Refused

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "serving"
TF_SERVING = "tensorflow_model_server"
PATIENCE = 120  # seconds until a server answers


class Missing(Exception):
    """There is no such server here; the text says how to get one."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A server.

    Attributes:
        command: of (export's directory, version's directory, a folder for
            files, free ports); raises `Missing`.
        addresses: by protocol, with the places of its ports.
        refuses_alone: whether a request of another shape or type is refused
            before it is merged with others.
    """

    command: Callable
    addresses: dict
    refuses_alone: bool = True


@dataclasses.dataclass(frozen=True)
class Server:
    """One that runs: its addresses by protocol; `pid` None is not ours."""

    kind: Kind
    addresses: dict
    pid: int | None


def _server(export, version, folder, ports):
    if not importlib.util.find_spec("fastapi"):
        raise Missing("pip install fastapi uvicorn")
    return [
        sys.executable,
        EXAMPLES / "server.py",
        f"--model_name={export.name}",
        f"--model_base_path={export}",
        f"--rest_api_port={ports[0]}",
    ]


def _grpc_double(export, version, folder, ports):
    if not importlib.util.find_spec("tensorflow_serving"):
        raise Missing("pip install --no-deps tensorflow-serving-api")
    script = HERE.parent / "grpc_double.py"
    return [sys.executable, script, export, f"--port={ports[0]}"]


def _tf_serving(export, version, folder, ports):
    if not shutil.which(TF_SERVING):
        raise Missing(
            f"no {TF_SERVING} on the PATH; install it, or set TF_SERVING_URL "
            "to a running one's http://host:8501 (TF_SERVING_GRPC to its "
            "host:8500 if that differs) and TF_SERVING_EXPORT to the "
            "directory it serves, whose name is the model's"
        )
    # The export's names the directory inside the container.
    config = (export / "models.config").read_text()
    config = re.sub(r'base_path: *"[^"]*"', f'base_path: "{export}"', config)
    here = folder / "models.config"
    here.write_text(config)
    return [
        TF_SERVING,
        f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}",
        f"--model_config_file={here}",
        "--enable_batching",
        f"--batching_parameters_file={export / 'batching.config'}",
    ]


def _kserve(export, version, folder, ports):
    return [
        _interpreter("kserve"),
        HERE / "kserve_server.py",
        version,
        f"--http_port={ports[0]}",
        f"--model_name={export.name}",
    ]


def _triton(export, version, folder, ports):
    return [
        _interpreter("pytriton"),
        HERE / "triton_server.py",
        version,
        f"--http_port={ports[0]}",
        f"--metrics_port={ports[1]}",
    ]


def _interpreter(module):
    """A Python with a module: $KSERVE_PYTHON, $PYTRITON_PYTHON, or ours."""
    variable = f"{module.upper()}_PYTHON"
    python = os.environ.get(variable, sys.executable)
    code = f"import importlib.util as u; exit(not u.find_spec({module!r}))"
    if subprocess.run([python, "-c", code]).returncode:
        raise Missing(
            f"no {module} in {python}; `make test-serving` makes an "
            f"environment with it and sets {variable}"
        )
    return python


GRPC = "grpc://127.0.0.1:{0}/{name}"
REST = "http://127.0.0.1:{0}/v1/models/{name}"
WITNESSES = {
    "server": Kind(_server, {"http": REST}),
    "grpc_double": Kind(_grpc_double, {"grpc": GRPC}),
    "tf_serving": Kind(
        _tf_serving,
        {"grpc": GRPC, "http": REST.replace("{0}", "{1}")},
        refuses_alone=False,
    ),
    "kserve": Kind(_kserve, {"http": REST}),
    "triton": Kind(
        _triton,
        {
            "triton": "triton://127.0.0.1:{0}/{name}",
            "metrics": "http://127.0.0.1:{1}/metrics",
        },
    ),
}


@contextlib.contextmanager
def serving(name, export, version, folder, questions):
    """Starts a server of `WITNESSES`; it has answered each question once.

    Raises:
        Missing: there is none here.
        Refused: by a server that TF_SERVING_URL names.
        ValueError: TF_SERVING_URL is malformed, or without TF_SERVING_EXPORT.
        RuntimeError: with its last words, if it ends or never answers.
    """
    kind = WITNESSES[name]
    if name == "tf_serving" and (addresses := _running(export)):
        for address in addresses.values():
            _ask(address, questions)
        yield Server(kind, addresses, None)
        return
    ports = _free_ports(2)
    command = kind.command(export, version, folder, ports)
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        addresses = {
            protocol: address.format(*ports, name=export.name)
            for protocol, address in kind.addresses.items()
        }
        _wait(process, next(iter(addresses.values())), questions, log)
        yield Server(kind, addresses, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _running(export):
    """Addresses of the server that the environment names; None without."""
    # The examples read the same variables; they are scripts, not a package.
    names = runpy.run_path(str(EXAMPLES / "start_server.py"))
    server = names["running"]()
    if server is None:
        return None
    if "TF_SERVING_EXPORT" not in os.environ:
        raise ValueError(
            f"TF_SERVING_URL is {server.url!r}. Set TF_SERVING_EXPORT to the "
            "directory of versions that this server serves: the answers are "
            "compared with it, and its name is the model's."
        )
    return {
        "grpc": f"grpc://{server.grpc}/{export.name}",
        "http": f"{server.url}/v1/models/{export.name}",
    }


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(count)
        ]
        return [s.getsockname()[1] for s in sockets]


def _wait(process, address, questions, log):
    end = time.monotonic() + PATIENCE
    host, port = re.search(r"//([^:]+):(\d+)", address).groups()
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, Refused):
            socket.create_connection((host, int(port)), 1).close()
            _ask(address, questions)
            return
        time.sleep(0.2)
    last = log.read_text(errors="replace")[-3000:]
    raise RuntimeError(f"{address} never answered: {process.args}\n{last}")


def _ask(address, questions):
    with clients.connect(address) as client:
        for question in questions:
            client.predict(question.signature, question.inputs)


def resident_bytes(pid):
    """Resident memory of a process and its descendants (Linux)."""
    root = pathlib.Path("/proc", str(pid))
    pages = int((root / "statm").read_text().split()[1])
    children = [
        int(child)
        for file in root.glob("task/*/children")
        for child in file.read_text().split()
    ]
    page = os.sysconf("SC_PAGE_SIZE")
    return pages * page + sum(resident_bytes(child) for child in children)
