import pathlib

import nbclient
import nbformat

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def test_quickstart_runs_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
    text = "".join(o.get("text", "") for o in outputs)
    right = float(text.split("% of 500 held-out")[0].split()[-1])
    assert right > 25  # chance is 10
