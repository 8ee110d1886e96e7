import notebooks
import pytest

SHORTER = {
    "DEPTH = 110": "DEPTH = 8",
    "IMAGES = 32": "IMAGES = 4",
    "EPOCHS = 4": "EPOCHS = 1",
    "trained, errors = {}, {}\nfor name, options in networks.items()": (
        "trained, errors = {}, {}\n"
        "for name, options in list(networks.items())[:2]"
    ),
    "batch_size=32": "batch_size=256",
}


@pytest.mark.multiprocess
def test_a_shallow_comparison_runs_from_top_to_bottom(tmp_path):
    notebook = notebooks.read("propagation.ipynb")
    notebooks.shorten(notebook, SHORTER)
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
