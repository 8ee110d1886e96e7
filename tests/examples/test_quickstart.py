import notebooks


def test_quickstart_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("quickstart.ipynb")
    outputs = notebooks.run(notebook, tmp_path)
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
    text = "".join(o.get("text", "") for o in outputs)
    right = float(text.split("% of 500 held-out")[0].split()[-1])
    assert right > 25  # chance is 10
