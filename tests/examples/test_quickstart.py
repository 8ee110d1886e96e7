import notebooks

SHORTER = {
    "epochs, batch_size = 6": "epochs, batch_size = 2",
    "PreActResNet164()": "PreActResNet20()",
    "PreActResNet110(\n": "PreActResNet20(\n",
    "model = keras_resnetv2.PreActResNet20()\ntraining.": "model = "
    "keras_resnetv2.ResNetV2(keras_resnetv2.ResNetConfig(\n"
    "    units_per_stage=(1, 1), widths=(16, 32)))\ntraining.",
    # An export's own check loads it a second time, in a process of its own.
    "path = keras_resnetv2": "from keras_resnetv2.export import self_check\n"
    "self_check.check = lambda *args: None\n"
    "path = keras_resnetv2",
}


def test_quickstart_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("quickstart.ipynb")
    notebooks.shorten(notebook, SHORTER)
    outputs = notebooks.run(notebook, tmp_path)
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 4
    text = "".join(o.get("text", "") for o in outputs)
    *right, _ = text.split("% of 500 held-out")
    published, trained_here = (float(t.split()[-1]) for t in right)
    assert published > 88  # of the 10,000: 91.99
    assert trained_here > 25  # chance is 10
