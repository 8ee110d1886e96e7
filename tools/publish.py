"""Turns a finished training into published weights.

tools/publish.py --workdir=runs/resnet20

It writes the weights into the package, and their answers into the tests. It
prints the row for keras_resnetv2/models/published.py. Add the row there, then
run tools/generate_tables.py --write.
"""

import json
import pprint
from pathlib import Path

from absl import flags

from keras_resnetv2 import load_arrays
from keras_resnetv2._files import user_path
from keras_resnetv2.cli import common
from keras_resnetv2.training import publishing

ROOT = Path(__file__).parents[1]

_FOLDER = flags.DEFINE_string(
    "folder",
    str(ROOT / "keras_resnetv2" / "models" / "pretrained"),
    "Folder of the .weights.h5 file.",
)
_RECORDS = flags.DEFINE_string(
    "records",
    str(ROOT / "tests" / "models" / "published_predictions.json"),
    "File of the answers on the bundled test images.",
)


def main(argv):
    """Publishes the weights and prints the row."""
    row = publishing.publish(
        common.WORKDIR.value, _FOLDER.value, common.DATA_DIR.value
    )
    sample = load_arrays("cifar10_sample", "test")
    path = user_path(_FOLDER.value) / row.file
    logits = publishing.answers(row, path, sample.images)
    file = user_path(_RECORDS.value)
    records = json.loads(file.read_text()) if file.exists() else {}
    records[row.file] = publishing.record(logits)
    file.write_text(json.dumps(records) + "\n")
    pprint.pp(row)


if __name__ == "__main__":
    common.entry_point(main, required=["workdir"])()
