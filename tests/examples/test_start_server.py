import pathlib
import sys
import urllib.request

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "serving"

# Says that any version of any model is available.
AVAILABLE = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"model_version_status": [{"state": "AVAILABLE"}]}')

flags = dict(flag.split("=", 1) for flag in sys.argv[1:])
address = "127.0.0.1", int(flags["--rest_api_port"])
http.server.HTTPServer(address, Handler).serve_forever()
"""


@pytest.fixture
def start_server(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delenv("TF_SERVING_URL", raising=False)
    monkeypatch.delenv("TF_SERVING_GRPC", raising=False)
    import start_server

    return start_server


@pytest.fixture
def model_server(tmp_path, monkeypatch):
    """Writes the tensorflow_model_server that is alone on the PATH."""

    def write(code):
        script = tmp_path / "tensorflow_model_server"
        script.write_text(f"#!{sys.executable}\n{code}")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return write


def answers(url):
    try:
        return urllib.request.urlopen(url).status == 200
    except OSError:
        return False


def test_the_real_server_is_taken_and_ends_with_a_failure(
    start_server, model_server, tmp_path
):
    model_server(AVAILABLE)
    with pytest.raises(KeyboardInterrupt):
        with start_server.serving(tmp_path / "cifar", "1") as server:
            assert server.label == "tensorflow_model_server"
            assert answers(server.url)
            raise KeyboardInterrupt
    assert not answers(server.url)


def test_a_server_that_ends_is_quoted(start_server, model_server, tmp_path):
    model_server("raise SystemExit('no such flag')")
    with pytest.raises(RuntimeError, match="ended:\nno such flag"):
        with start_server.serving(tmp_path / "cifar", "1"):
            pass


def test_a_server_that_runs_already_is_taken_and_left_alone(
    start_server, model_server, monkeypatch, tmp_path
):
    model_server(AVAILABLE)
    with start_server.serving(tmp_path / "cifar", "1") as running:
        monkeypatch.setenv("TF_SERVING_URL", running.url + "/")
        with start_server.serving(tmp_path / "cifar", "2") as server:
            assert server == ("TF_SERVING_URL", running.url, "127.0.0.1:8500")
        assert answers(running.url)


@pytest.mark.parametrize(
    "url", ["http://host:8501/v1/models/m", "grpc://host:8500", "host:8501"]
)
def test_an_address_that_is_no_base_url_is_refused(
    start_server, monkeypatch, url
):
    monkeypatch.setenv("TF_SERVING_URL", url)
    with pytest.raises(ValueError, match="base URL, http://host:8501"):
        start_server.running()
