import notebooks


def test_a_shallow_comparison_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("propagation.ipynb")
    [settings] = [c for c in notebook.cells if c.source.startswith("DEPTH =")]
    for long, short in (
        ("DEPTH = 110", "DEPTH = 8"),
        ("IMAGES = 32", "IMAGES = 4"),
        ("EPOCHS = 4", "EPOCHS = 1"),
    ):
        assert long in settings.source
        settings.source = settings.source.replace(long, short)
    [train] = [c for c in notebook.cells if "training.train(" in c.source]
    train.source = train.source.replace("networks.items()", "FIRST_TWO")
    train.source = "FIRST_TWO = list(networks.items())[:2]\n" + train.source
    outputs = notebooks.run(notebook, tmp_path)
    shown = [o.get("data", {}) for o in outputs]
    assert len([d for d in shown if "image/png" in d]) == 6
    [table] = [d["text/markdown"] for d in shown if "text/markdown" in d]
    assert len(table.splitlines()) == 2 + 11 + 4
    product = {
        row.split("|")[1].strip(): row.split("|")[4].strip()
        for row in table.splitlines()[2:]
    }
    assert product["original"] == "1"
    assert product["scaling 0, F 1"] == "0"
