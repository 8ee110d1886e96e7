"""Starts and stops the servers that end_to_end.py can use."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from typing import NamedTuple

SERVER = pathlib.Path(__file__).with_name("server.py")
IMAGE = os.environ.get("TF_SERVING_IMAGE", "tensorflow/serving")
STARTING = 300  # seconds, including a first pull of the image


class Server(NamedTuple):
    """A server's name, its REST URL, and its gRPC address or None."""

    label: str
    url: str
    grpc: str | None


def newest(base_path):
    """Returns the directory of the newest version of an export.

    Raises:
        ValueError: if there is none.
    """
    files = base_path.glob("*/saved_model.pb")
    versions = [file.parent for file in files if file.parent.name.isdigit()]
    if not versions:
        raise ValueError(f"{base_path} has no version (1/saved_model.pb).")
    return max(versions, key=lambda path: int(path.name))


def running():
    """Returns the `Server` of TF_SERVING_URL and TF_SERVING_GRPC, or None.

    Raises:
        ValueError: if the URL is not of the form http://host:8501.
    """
    url = os.environ.get("TF_SERVING_URL")
    if not url:
        return None
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.netloc or parts.path.strip("/"):
        raise ValueError(
            f"TF_SERVING_URL is {url!r}. Give the server's base URL, "
            "http://host:8501, without the name of a model. TF_SERVING_GRPC "
            "defaults to host:8500."
        )
    grpc = os.environ.get("TF_SERVING_GRPC") or f"{parts.hostname}:8500"
    return Server("TF_SERVING_URL", f"http://{parts.netloc}", grpc)


@contextlib.contextmanager
def serving(base_path, version):
    """Serves a version under its base path's name; yields a `Server`.

    TF_SERVING_URL (http://host:8501) and TF_SERVING_GRPC (default: host:8500)
    name a running server that serves `base_path`. Otherwise the first available
    one is used: tensorflow_model_server on the PATH, Docker, server.py.

    Raises:
        RuntimeError: if the server ends, or never makes the version available.
        ValueError: see `running`.
    """
    if server := running():
        _wait_until_available(server, base_path.name, version)
        yield server
        return
    server, command = _choose(base_path)
    # A new session: Ctrl-C reaches only this script, which stops the server.
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            _wait_until_available(server, base_path.name, version, process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _choose(base_path):
    """Returns the best available server, and the command that starts it."""
    name, rest, grpc = base_path.name, _free_port(), _free_port()
    url = f"http://127.0.0.1:{rest}"
    flags = [
        f"--model_name={name}",
        f"--model_base_path={base_path}",
        f"--rest_api_port={rest}",
    ]
    binary = "tensorflow_model_server"
    if shutil.which(binary):
        command = [binary, *flags, f"--port={grpc}"]
        return Server(binary, url, f"127.0.0.1:{grpc}"), command
    if _docker_answers():
        command = [
            *("docker", "run", "--rm", "--init"),
            *("-p", f"127.0.0.1:{grpc}:8500"),
            *("-p", f"127.0.0.1:{rest}:8501"),
            *("-v", f"{base_path}:/models/{name}:ro"),
            *("-e", f"MODEL_NAME={name}", IMAGE),
        ]
        return Server(f"docker {IMAGE}", url, f"127.0.0.1:{grpc}"), command
    return Server(SERVER.name, url, None), [sys.executable, SERVER, *flags]


def _docker_answers():
    if not shutil.which("docker"):
        return False
    try:
        done = subprocess.run(
            ["docker", "info"], capture_output=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _wait_until_available(server, name, version, process=None, log=None):
    name = urllib.parse.quote(name)
    url = f"{server.url}/v1/models/{name}/versions/{version}"
    end = time.monotonic() + STARTING
    said = "nothing"
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{server.label} ended:\n{said}")
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                said = json.load(response)["model_version_status"]
            if [row["state"] for row in said] == ["AVAILABLE"]:
                return
        except (OSError, ValueError) as error:
            said = error
        time.sleep(0.2)
    raise RuntimeError(
        f"{url} was not available after {STARTING} seconds; last answer: {said}"
    )
