import base64
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

import keras_resnetv2 as kr
from keras_resnetv2.export import self_check

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
pytest.importorskip("tensorflow_serving.apis.predict_pb2")

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "serving"


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def script():
    """end_to_end.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        patch.delenv("TF_SERVING_URL", raising=False)
        patch.setenv("PATH", "")  # neither Docker nor TF Serving
        import end_to_end

        yield end_to_end


@pytest.fixture(scope="module")
def export(script, tmp_path_factory):
    """Of the published network, called cifar."""
    with pytest.MonkeyPatch.context() as patch:
        # An export's own check loads it in a process of its own.
        patch.setattr(self_check, "check", lambda *args: None)
        return script.export_published(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def addresses(script, export):
    """Of server.py and of the gRPC double, both in this process."""
    import grpc_double
    import server

    app = server.make_app("cifar", export)
    served = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=served.run)
    thread.start()
    while not served.started:
        time.sleep(0.01)
    port = served.servers[0].sockets[0].getsockname()[1]
    with grpc_double.serving(export) as grpc_port:
        yield {"rest": f"127.0.0.1:{port}", "grpc": f"127.0.0.1:{grpc_port}"}
    served.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def pictures(script, tmp_path_factory):
    """Two pictures as files, and between them a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    script.held_out_pictures.write(folder / "all")
    for name in ("airplane_1.png", "truck_2.png"):
        (folder / "all" / name).rename(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    return [folder / n for n in ("airplane_1.png", "notes.txt", "truck_2.png")]


@pytest.fixture
def images():
    return kr.load_arrays("cifar10_sample", "test").images


def post(addresses, body, path="/v1/models/cifar:predict"):
    """HTTP status and JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://{addresses['rest']}{path}"
    try:
        with urllib.request.urlopen(url, data) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def end_to_end(script, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["end_to_end.py", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("tempfile.tempdir", None)
    script.main()


def test_one_script_goes_from_weights_to_answers(
    script, export, monkeypatch, tmp_path, capsys
):
    # What the fixture `export` has made by it.
    monkeypatch.setattr(script, "export_published", lambda folder: export)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    end_to_end(script, monkeypatch)
    first, *answers, last = capsys.readouterr().out.splitlines()
    found = re.fullmatch(
        r"server.py, REST at http://\S+: 21 files, 1 of them not pictures; "
        r"scores within (\S+) of the SavedModel's",
        first,
    )
    assert found and float(found[1]) < 1e-4
    assert "notes.txt: not a picture that the server can read" in answers
    right = [line.split("_")[0] == line.split()[1] for line in answers]
    assert sum(right) == 20
    assert last == "Server stopped, temporary files removed."
    assert not list(tmp_path.iterdir())


def test_a_server_with_grpc_is_asked_over_both(
    script, export, addresses, pictures, monkeypatch, capsys
):
    monkeypatch.setenv("TF_SERVING_URL", f"http://{addresses['rest']}")
    monkeypatch.setenv("TF_SERVING_GRPC", addresses["grpc"])
    end_to_end(script, monkeypatch, f"--export={export}", *pictures)
    said = capsys.readouterr().out
    for api in ("REST", "gRPC"):
        assert re.search(f"{api} at .*: 3 files, 1 of them not pictures", said)
    assert "airplane_1.png: airplane" in said


@pytest.mark.parametrize(
    "answers, message",
    [
        ([None], "disagree on which files"),
        ([[("cat", 0.7), ("dog", 0.2)]], r"differ by 1\.0e-01"),
        ([[("cat", 0.8), ("ship", 0.2)]], r"differ by 2\.0e-01"),
    ],
)
def test_other_answers_than_the_saved_model_s_are_noticed(
    script, answers, message
):
    with pytest.raises(RuntimeError, match=message):
        script.largest_difference(answers, [{"cat": 0.8, "dog": 0.2}])


def test_a_directory_without_a_version_is_refused(script, tmp_path):
    import server

    with pytest.raises(ValueError, match=r"has no version \(1/saved_model"):
        server.make_app("cifar", tmp_path)


def test_a_server_that_is_too_slow_is_not_called_absent(script, monkeypatch):
    monkeypatch.setattr(script.rest_client, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RuntimeError, match="did not answer within 0.1"):
            script.rest_client.classify(url, "cifar", [b""])


def test_both_clients_name_the_classes_of_pictures(addresses, pictures):
    rest = subprocess.run(
        # It needs Python alone.
        [
            *(sys.executable, "-I", "-S", EXAMPLES / "rest_client.py"),
            *(f"--url={addresses['rest']}", "--model=cifar", *pictures),
        ],
        capture_output=True,
        text=True,
    )
    code = (
        "import runpy, sys\n"
        "del sys.argv[0]\n"
        f"sys.path.insert(0, {str(EXAMPLES)!r})\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        # It needs TensorFlow's messages alone.
        "assert not hasattr(sys.modules['tensorflow'], 'constant')\n"
    )
    over_grpc = subprocess.run(
        [
            *(sys.executable, "-c", code, EXAMPLES / "grpc_client.py"),
            *(f"--server={addresses['grpc']}", "--model=cifar", *pictures),
        ],
        capture_output=True,
        text=True,
    )
    assert rest.returncode == over_grpc.returncode == 0, over_grpc.stderr
    assert rest.stdout == over_grpc.stdout
    first, other, last = rest.stdout.splitlines()
    assert other == f"{pictures[1]}: not a picture that the server can read"
    names = kr.load_arrays("cifar10_sample", "test").class_names
    for path, line in ((pictures[0], first), (pictures[2], last)):
        answer = line.removeprefix(f"{path}: ").split(", ")
        scores = [float(part.split()[1]) for part in answer]
        assert len(answer) == 5 and {a.split()[0] for a in answer} < set(names)
        assert answer[0].split()[0] == path.stem.split("_")[0]
        assert scores == sorted(scores, reverse=True) and 0 < sum(scores) < 1.01


@pytest.mark.parametrize(
    "script_name, where, model, message",
    [
        ("rest_client.py", "rest", "other", "HTTP 404.*Give --model"),
        ("grpc_client.py", "grpc", "other", "NOT_FOUND.*Give --model"),
        ("rest_client.py", "none", "cifar", "No server answers.*Start one"),
        ("grpc_client.py", "none", "cifar", "UNAVAILABLE.*Start a server"),
        ("rest_client.py", "grpc", "cifar", "does not support.*the REST port"),
        ("grpc_client.py", "rest", "cifar", "UNAVAILABLE.*the gRPC port"),
    ],
)
def test_a_client_says_in_a_line_what_to_do(
    script_name, where, model, message, addresses, pictures
):
    address = {**addresses, "none": "127.0.0.1:1"}[where]
    flag = "--url" if script_name == "rest_client.py" else "--server"
    done = run(script_name, f"{flag}={address}", f"--model={model}", *pictures)
    assert done.returncode == 1
    assert re.fullmatch(f".*{message}.*\n", done.stderr), done.stderr


def test_rows_and_columns_are_written_as_tf_serving_does(addresses, images):
    png = base64.b64encode(tf.io.encode_png(images[0]).numpy()).decode()
    several = {"signature_name": "classify"}
    columns = post(addresses, {**several, "inputs": [{"b64": png}, "no"]})
    rows = post(
        addresses, {**several, "instances": [{"image_bytes": {"b64": png}}]}
    )
    named = post(
        addresses, {**several, "inputs": {"image_bytes": [{"b64": png}, "no"]}}
    )
    assert columns[0] == rows[0] == 200 and named == columns
    outputs = columns[1]["outputs"]
    assert list(columns[1]) == ["outputs"] and list(rows[1]) == ["predictions"]
    assert outputs["valid"] == [True, False]
    assert outputs["classes"][1] == [""] * 5
    (row,) = rows[1]["predictions"]
    assert row == {name: column[0] for name, column in outputs.items()}
    pixels = images[:2].tolist()
    for body, key in (("instances", "predictions"), ("inputs", "outputs")):
        answer = post(addresses, {body: pixels})[1]
        # The only output has no name.
        assert np.array(answer[key]).shape == (2, 10)


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_status(addresses, version):
    url = f"http://{addresses['rest']}/v1/models/cifar{version}"
    with urllib.request.urlopen(url) as response:
        (row,) = json.load(response)["model_version_status"]
    assert row == {"version": "1", "state": "AVAILABLE"}


CLASSIFY = {"signature_name": "classify"}
UINT8 = {"signature_name": "serving_uint8"}


@pytest.mark.parametrize(
    "body, message",
    [
        (b"{", "Expecting property name"),
        (b"[" * 100_000, "recursion"),
        (b'"text"', "no attribute 'get'"),
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": [], "inputs": []}, "either 'instances' or 'inputs'"),
        ({"instances": []}, r"images is float32 .*received .* shape \(0,\)"),
        ({"inputs": {"pixels": [1]}}, "images is float32"),
        ({"instances": [[1, 2], [3]]}, "inhomogeneous"),
        ({"instances": json.loads("[" * 900 + "]" * 900)}, "shape|depth|dim"),
        ({"instances": [["a"]]}, "images is float32"),
        ({"instances": [1]}, r"float32 of shape \(None, 32, 32, 3\); received"),
        ({"signature_name": "x", "instances": [1]}, "'x' is not one of class"),
        ({"signature_name": [], "instances": [1]}, "unhashable"),
        ({**CLASSIFY, "instances": [1]}, "Unsupported object type int"),
        ({**CLASSIFY, "instances": [[["a"]]]}, "image_bytes is string"),
        ({**CLASSIFY, "inputs": [{"b64": "?"}]}, "base64"),
        ({**CLASSIFY, "inputs": [{"b64": 1}]}, "bytes-like"),
        ({**CLASSIFY, "inputs": []}, "."),
        ({**CLASSIFY, "instances": ["\ud800"]}, "UTF-8"),
        ({**UINT8, "instances": np.full((1, 32, 32, 3), 300).tolist()}, "300"),
        (
            {**UINT8, "instances": np.full((1, 32, 32, 3), 0.5).tolist()},
            "uint8",
        ),
        ({**UINT8, "instances": np.zeros((1, 31, 32, 3)).tolist()}, "shape"),
    ],
)
def test_a_bad_request_is_refused(addresses, body, message):
    code, answer = post(addresses, body)
    assert code == 400 and re.search(message, answer["error"]), answer


@pytest.mark.parametrize(
    "path, status",
    [
        ("/v1/models/other:predict", 404),
        ("/v1/models/cifar/versions/7:predict", 404),
        (f"/v1/models/cifar/versions/{'9' * 5000}:predict", 404),
        ("/v1/models/cifar:paint", 405),
        ("/", 404),
    ],
    ids=["model", "version", "digits", "method", "page"],
)
def test_what_is_not_served_is_not_found(addresses, path, status):
    code, answer = post(addresses, {"instances": [1]}, path)
    assert code == status and answer["error"]
