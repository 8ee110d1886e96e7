import notebooks

SHORT = "TRIALS, EPOCHS, WINNER_EPOCHS = 2, 1, 2"


def test_a_short_search_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("tuning.ipynb")
    [settings] = [c for c in notebook.cells if c.source.startswith("TRIALS =")]
    settings.source = SHORT
    outputs = notebooks.run(notebook, tmp_path)
    shown = [o.get("data", {}) for o in outputs]
    [table] = [d["text/markdown"] for d in shown if "text/markdown" in d]
    assert "2 trials: 2 completed, 0 failed, 0 running." in table
    assert len([d for d in shown if "image/png" in d]) == 1
    text = "".join(o.get("text", "") for o in outputs)
    error = float(text.split("test error ")[1].split("%")[0])
    assert error < 80  # chance is 90
