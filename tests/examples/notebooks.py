"""A notebook of examples/, run from top to bottom."""

import pathlib

import nbclient
import nbformat

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def read(name):
    return nbformat.read(EXAMPLES / name, as_version=4)


def shorten(notebook, replacements):
    """Puts smaller networks, say, in place of what is there exactly once."""
    for long, short in replacements.items():
        [cell] = [cell for cell in notebook.cells if long in cell.source]
        assert cell.source.count(long) == 1, long
        cell.source = cell.source.replace(long, short)


def run(notebook, directory):
    """What its cells put out, in order."""
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute()
    return [o for cell in notebook.cells for o in cell.get("outputs", [])]
