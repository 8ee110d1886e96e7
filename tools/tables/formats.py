"""The table of image formats."""

from keras_resnetv2._text import markdown_table
from keras_resnetv2.data.image_files import FORMATS

_HEAD = (
    "format",
    "in memory",
    "streamed, TensorFlow",
    "streamed, JAX and PyTorch",
    "served",
    "",
)


def table() -> str:
    """Returns one row per format: everything but serving reads all of them."""
    return markdown_table(_HEAD, map(_row, FORMATS.items())) + "\n"


def _row(item):
    name, row = item
    served = "yes" if row.served else "no"
    return (name, *3 * ("yes",), served, row.note)
