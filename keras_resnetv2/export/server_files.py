"""Writes the files with which TensorFlow Serving is started."""

import json
import pathlib
import re

from keras_resnetv2._directories import SERVING

# No allowed_batch_sizes: TF Serving would pad an empty batch with its first
# row, and crash.
_BATCH_SIZE = 32
_WAIT_MICROSECONDS = 2000
_WAITING_BATCHES = 100


def model_name(directory: pathlib.Path) -> str:
    """Returns the directory's name, with characters that suit a URL."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", directory.resolve().name) or "model"


def write(directory: pathlib.Path) -> None:
    """Writes models.config, batching.config and serve.sh.

    Existing files are kept, because they may have been edited.

    Args:
        directory: directory of the versions.
    """
    name = model_name(directory)
    for file, text in {
        SERVING: _models(name),
        "batching.config": _batching(),
        "serve.sh": _serve(name),
    }.items():
        path = directory / file
        if not path.exists():
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(0o755)


def _models(name):
    return f"""model_config_list {{
  config {{
    name: {json.dumps(name)}
    base_path: {json.dumps(f"/models/{name}")}
    model_platform: "tensorflow"
  }}
}}
"""


def _batching():
    return f"""max_batch_size {{ value: {_BATCH_SIZE} }}
batch_timeout_micros {{ value: {_WAIT_MICROSECONDS} }}
max_enqueued_batches {{ value: {_WAITING_BATCHES} }}
"""


def _serve(name):
    inside = f"/models/{name}"
    return f"""#!/bin/sh
# TensorFlow Serving in Docker: gRPC on port 8500, REST on 8501. The arguments
# of this script are passed to the server.
base=$(cd "$(dirname "$0")" && pwd)
exec docker run --rm -p 8500:8500 -p 8501:8501 -v "$base:{inside}:ro" \\
  tensorflow/serving --model_config_file={inside}/models.config \\
  --enable_batching --batching_parameters_file={inside}/batching.config "$@"
"""
