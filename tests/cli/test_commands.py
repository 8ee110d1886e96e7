"""The command lines as a user runs them: processes, exit codes, messages."""

import json

import numpy as np
import pytest
from PIL import Image
from processes import run_command
from small_training import UNIT

from keras_resnetv2 import (
    PreActResNet20,
    decode_predictions,
    load_arrays,
    preprocess_input,
)

TRAIN = ("--model=PreActResNet20", "--dataset=fake", "--epochs=1")


def test_train_evaluate_export(tmp_path):
    workdir = tmp_path / "run"
    small = tmp_path / "small.json"
    small.write_text(json.dumps({"options": UNIT}))
    done = run_command(
        "train",
        *(f"--config={small}", *TRAIN, f"--workdir={workdir}"),
        *("--batch_size=128", "--shortcut=dropout", "--dropout_rate=0.2"),
    )
    assert done.returncode == 0, done.stderr
    assert "images/s" in done.stdout and "left 0:00\n" in done.stdout
    error = done.stdout.split("test error ")[-1].split("%")[0]

    done = run_command("evaluate", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert f"128 test images of fake: error {error}%, top-5" in done.stdout
    assert (workdir / "confusion.png").exists()

    done = run_command("propagation", f"--workdir={workdir}", "--images=8")
    assert done.returncode == 0, done.stderr
    assert "stage1_unit1" in done.stdout
    rows = (workdir / "propagation.csv").read_text().splitlines()
    assert len(rows) == 3 and rows[1].startswith("stage1_unit1,dropout,,")
    assert Image.open(workdir / "propagation.png").format == "PNG"

    tf = pytest.importorskip("tensorflow")
    done = run_command(
        "export",
        f"--workdir={workdir}",
        f"--output={tmp_path}/served",
        "--precision=bfloat16",
        "--top_k=3",
    )
    assert done.returncode == 0, done.stderr
    served = tf.saved_model.load(str(tmp_path / "served" / "1"))
    classify = served.signatures["classify"]
    assert classify.structured_outputs["scores"].shape == (None, 3)
    kernels = [w for w in served.weights if len(w.shape) == 4]
    assert {kernel.dtype for kernel in kernels} == {tf.bfloat16}


@pytest.mark.multiprocess
def test_published_weights_are_exported_with_their_classes(tmp_path):
    tf = pytest.importorskip("tensorflow")
    args = ("--model=PreActResNet20", "--weights=cifar10")
    done = run_command("export", *args, f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    served = tf.saved_model.load(str(tmp_path / "1"))
    test = load_arrays("cifar10_sample", "test").take(8)
    uint8 = served.signatures["serving_uint8"]
    answer = uint8(images=tf.constant(test.images))["probabilities"]
    network = PreActResNet20(weights="cifar10")
    own = network(preprocess_input(test.images, network))
    np.testing.assert_allclose(answer, own, atol=1e-5)
    classify = served.signatures["classify"]
    png = tf.io.encode_png(test.images[0])[None]
    best = classify(image_bytes=png)["classes"][0, 0].numpy().decode()
    assert best == decode_predictions(own, 1, network)[0][0][1] == "cat"


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    "format, name, runtime",
    [
        ("onnx", "network.onnx", "onnxruntime"),
        ("litert", "network.tflite", "ai_edge_litert"),
    ],
)
def test_published_weights_are_exported_as_a_file(
    format, name, runtime, tmp_path
):
    pytest.importorskip("tensorflow")
    pytest.importorskip(runtime)
    args = ("--model=PreActResNet20", "--weights=cifar10")
    file = tmp_path / "new" / name
    done = run_command(
        "export", *args, f"--format={format}", f"--output={file}"
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert f"Exported PreActResNet20 to {file}. Its outputs" in done.stdout
    assert b"automobile" in file.read_bytes()


@pytest.mark.multiprocess
def test_a_training_from_another_ones_settings(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(
        '{"model": "PreActResNet20", "dataset": "fake", "held_out": 0.25, '
        '"batch_size": 128, "options": {"depth": 8}}'
    )
    args = (f"--config={config}", "--epochs=1", f"--workdir={tmp_path}/run")
    done = run_command("train", *args)
    assert done.returncode == 0, done.stderr
    error = done.stdout.split("held-out error ")[-1].split("%")[0]
    settings = tmp_path / "run" / "experiment.json"

    # Its own settings are those of the same training.
    again = (f"--config={settings}", f"--workdir={tmp_path}/run")
    assert f"held-out error {error}%" in run_command("train", *again).stdout

    done = run_command(
        "evaluate", f"--workdir={tmp_path}/run", "--split=held_out"
    )
    assert f"held-out images of fake: error {error}%" in done.stdout


@pytest.mark.parametrize(
    "tool, args, says",
    [
        ("train", ["--model=ResNet20", "--dataset=fake"], "PreActResNet20"),
        ("train", [*TRAIN, "--gate_bias=-6"], "gate_bias has no effect"),
        ("train", ["--model=PreActResNet20"], "--dataset must be given"),
        ("train", ["--config=no.json"], "no.json cannot be read"),
        ("evaluate", [], "no experiment.json"),
        ("export", [], "--output"),
        ("propagation", [], "no experiment.json"),
        ("export", ["--output=x"], "no experiment.json"),
        ("export", ["--output=x", "--weights=cifar10"], "by --model and --w"),
        ("export", ["--output=x.onnx"], "a directory; received --output=x.onn"),
        ("export", ["--output=x", "--format=onnx"], "that ends in .onnx; rece"),
        (
            "export",
            ["--output=x.tflite", "--format=litert", "--top_k=5"],
            "A LiteRT file has no --top_k: it takes pixels",
        ),
    ],
)
def test_bad_input_is_one_message(tool, args, says, tmp_path):
    done = run_command(tool, f"--workdir={tmp_path}", *args)
    assert done.returncode == 1, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
