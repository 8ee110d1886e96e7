import notebooks
import pytest

SHORTER = {
    "TRIALS = 8": "TRIALS = 2",
    "\nEPOCHS = 4": "\nEPOCHS = 1",
    "WINNER_EPOCHS = 12": "WINNER_EPOCHS = 2",
    '"depth": (8, 20)': '"depth": (8, 14)',
    '"depth": 20, "width": 24': '"depth": 14, "width": 24',
    "max_parameters=300_000": "max_parameters=200_000",
}


@pytest.mark.multiprocess
def test_a_short_search_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("tuning.ipynb")
    notebooks.shorten(notebook, SHORTER)
    outputs = notebooks.run(notebook, tmp_path)
    shown = [o.get("data", {}) for o in outputs]
    [table] = [d["text/markdown"] for d in shown if "text/markdown" in d]
    assert "2 trials: 2 completed, 0 failed, 0 running." in table
    assert len([d for d in shown if "image/png" in d]) == 1
    text = "".join(o.get("text", "") for o in outputs)
    error = float(text.split("test error ")[1].split("%")[0])
    assert error < 80  # chance is 90
