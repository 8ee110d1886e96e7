"""An export against code that is not ours; one file, so that it is made once.

The same questions go to every server, over every protocol it speaks.
"""

import pathlib
import pickle
import re
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import c_api
import clients
import load
import witnesses
from questions import INPUTS, ask, check, every_kind

multiprocess = pytest.mark.multiprocess


def run(*command):
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    not c_api.library().exists(),
    reason=f"this TensorFlow has no {c_api.library().name}; on Linux it has",
)
def test_c_api_without_python_s_tensorflow(version, book, tmp_path):
    questions = list(every_kind(book))
    requests = [(q.signature, q.inputs) for q in questions]
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_bytes(pickle.dumps(requests))
    run(pathlib.Path(c_api.__file__), version, asked, answered)
    outcomes = pickle.loads(answered.read_bytes())
    for question, outcome in zip(questions, outcomes, strict=True):
        check(question, outcome, atol=1e-6)


CLI = ("-m", "tensorflow.python.tools.saved_model_cli")


@multiprocess
def test_saved_model_cli_show(version, book):
    shown = run(*CLI, "show", "--dir", version, "--all")
    sections = dict(
        re.findall(r"signature_def\['(\w+)'\]:(.*?)\n\n", shown, re.S)
    )
    for signature, (given, _) in INPUTS.items():
        for name in (given, *book.good(signature).answer):
            assert f"['{name}'] tensor_info" in sections[signature]


@multiprocess
@pytest.mark.parametrize("signature", INPUTS)
def test_saved_model_cli_run(signature, version, book, tmp_path):
    question = book.good(signature, rows=3)
    inputs, out = tmp_path / "inputs.npy", tmp_path / "out"
    np.save(inputs, question.inputs)
    run(
        *(*CLI, "run", "--dir", version, "--tag_set", "serve"),
        *("--signature_def", signature, "--outdir", out),
        *("--inputs", f"{INPUTS[signature][0]}={inputs}"),
    )
    outcome = {
        file.stem: np.load(file, allow_pickle=True) for file in out.iterdir()
    }
    check(question, outcome, atol=1e-6)


spoken = pytest.mark.parametrize(
    "name, protocol",
    [
        pytest.param("server", "http"),
        pytest.param("grpc_double", "grpc", marks=multiprocess),
        pytest.param("tf_serving", "grpc"),
        pytest.param("tf_serving", "http"),
        pytest.param("kserve", "http", marks=multiprocess),
        pytest.param("triton", "triton", marks=multiprocess),
    ],
)
# A server that merges first refuses the neighbours as well.
MERGED_FIRST = ("wrong shape", "wrong dtype", "empty batch")


@multiprocess
def test_a_server_that_runs_is_asked_over_both_protocols(
    serve, export, version, book, tmp_path, monkeypatch
):
    running = serve("server").addresses | serve("grpc_double").addresses
    grpc, rest = (urlsplit(running[key]).netloc for key in ("grpc", "http"))
    monkeypatch.setenv("TF_SERVING_URL", f"http://{rest}/")
    monkeypatch.setenv("TF_SERVING_GRPC", grpc)
    monkeypatch.setenv("TF_SERVING_EXPORT", str(export))
    questions = [book.good("classify")]
    with witnesses.serving(
        "tf_serving", export, version, tmp_path, questions
    ) as server:
        assert server.addresses == running


@spoken
def test_every_signature_and_every_kind_of_garbage(name, protocol, serve, book):
    with clients.connect(serve(name).addresses[protocol]) as client:
        for question in every_kind(book):
            check(question, ask(client, question))


def plan_for(server, book, requests):
    without = () if server.kind.refuses_alone else MERGED_FIRST
    return load.plan(book, requests, without)


@spoken
def test_requests_of_several_clients_at_once(name, protocol, serve, book):
    server = serve(name)
    questions = plan_for(server, book, 300)
    report = load.run(server.addresses[protocol], questions)
    assert not report.wrong, report


@multiprocess
@spoken
def test_ten_thousand_requests(name, protocol, serve, book, capsys):
    server = serve(name)
    questions = plan_for(server, book, 10_000)
    address = server.addresses[protocol]
    report = load.run(address, questions, pid=server.pid)
    with capsys.disabled():
        print(f"\n{name} over {protocol}: {report}")
    assert not report.wrong, report
    if server.pid is not None:
        assert report.growth < 0.05, report


def triton_count(server, counter, signature):
    with urllib.request.urlopen(server.addresses["metrics"]) as page:
        text = page.read().decode()
    pattern = rf'^{counter}{{model="{signature}".*}} (\d+)$'
    return int(re.search(pattern, text, re.MULTILINE)[1])


@multiprocess
def test_triton_merges_good_rows_with_garbage(serve, book):
    server = serve("triton")
    questions = [book.good("classify"), book.mixed("classify")] * 100
    counters = "nv_inference_request_success", "nv_inference_exec_count"
    before = [triton_count(server, name, "classify") for name in counters]
    report = load.run(server.addresses["triton"], questions)
    after = [triton_count(server, name, "classify") for name in counters]
    assert not report.wrong, report
    requests, runs = np.subtract(after, before)
    assert requests == len(questions)
    assert runs < requests / 2, f"{requests} requests in {runs} batches"
