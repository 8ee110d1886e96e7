import pathlib

import nbclient
import nbformat

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SHORT = "TRIALS, EPOCHS, WINNER_EPOCHS = 2, 1, 2"


def test_a_short_search_runs_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(EXAMPLES / "tuning.ipynb", as_version=4)
    [settings] = [c for c in notebook.cells if c.source.startswith("TRIALS =")]
    settings.source = SHORT
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    shown = [o.get("data", {}) for o in outputs]
    [table] = [d["text/markdown"] for d in shown if "text/markdown" in d]
    assert "2 trials: 2 completed, 0 failed, 0 running." in table
    assert len([d for d in shown if "image/png" in d]) == 1
    text = "".join(o.get("text", "") for o in outputs)
    error = float(text.split("test error ")[1].split("%")[0])
    assert error < 80  # chance is 90
