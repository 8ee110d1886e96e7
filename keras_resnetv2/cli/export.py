r"""Exports a trained network from its work directory.

keras-resnetv2-export --workdir=runs/resnet20 --output=serving/resnet20

Or a network with published weights:

keras-resnetv2-export --model=PreActResNet20 --weights=cifar10 \
  --output=serving/published

For ONNX Runtime or LiteRT instead of TF Serving:

keras-resnetv2-export --workdir=runs/resnet20 --format=onnx \
  --output=resnet20.onnx
"""

import os
import pathlib

from absl import flags

from keras_resnetv2._requirements import check_installed
from keras_resnetv2.cli import common, network_flags
from keras_resnetv2.data.crops import EVALUATION_RESIZE
from keras_resnetv2.export import single_file
from keras_resnetv2.export.saved_model import PRECISIONS, REQUEST_PIXEL_LIMIT

_SAVED_MODEL = "saved_model"
_FORMAT = flags.DEFINE_enum(
    "format",
    _SAVED_MODEL,
    [_SAVED_MODEL, *single_file.FORMATS],
    "What to write. onnx and litert are files that take pixels and give "
    "probabilities; they contain the class names.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Directory of a SavedModel's versions; a new version is added. Or the file "
    "to write: NAME.onnx for onnx, NAME.tflite for litert; an existing file is "
    "replaced.",
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    list(PRECISIONS),
    "Precision of a SavedModel's convolutions; bfloat16 is for processors that "
    "have it.",
)
_TOP_K = flags.DEFINE_integer(
    "top_k", 5, "Number of classes that a SavedModel's `classify` returns."
)
_PIXEL_LIMIT = flags.DEFINE_integer(
    "pixel_limit",
    REQUEST_PIXEL_LIMIT,
    "Pictures with more pixels are not decoded by a SavedModel.",
)
_RESIZE = flags.DEFINE_integer(
    "resize",
    None,
    "Shorter side of a picture before a SavedModel's centre crop, in pixels. "
    f"Default: image_size, or {EVALUATION_RESIZE} if the training decoded "
    "images as needed.",
)

# Flags that only a SavedModel has: for its signatures and its precision.
_SAVED_MODEL_FLAGS = (_PRECISION, _TOP_K, _PIXEL_LIMIT, _RESIZE)


def main(argv):
    """Writes the next version of the SavedModel, or the file."""
    file = single_file.FORMATS.get(_FORMAT.value)
    _check_flags(file)
    check_installed(file.title if file else "A SavedModel")
    # Networks trained on another backend can be loaded on TensorFlow.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    name, network = network_flags.load_network()
    path, report, more = (_file if file else _saved_model)(network)
    print(
        f"Exported {name} to {path}. Its outputs in a new process differ from "
        f"the network's by at most {report['largest_difference']:.1g} "
        f"({report['allowed']:.1g} is allowed).{more}"
    )


def _check_flags(file):
    if file:
        given = [f"--{f.name}" for f in _SAVED_MODEL_FLAGS if f.present]
        if given:
            raise flags.Error(
                f"{file.title} has no {', '.join(given)}: it takes pixels of "
                "the network's size, and is in float32. Omit the flag, or give "
                f"--format={_SAVED_MODEL}."
            )
        single_file.check_path(_FORMAT.value, _OUTPUT.value)
        return
    for name, other in single_file.FORMATS.items():
        if pathlib.Path(_OUTPUT.value).suffix == other.suffix:
            raise flags.Error(
                f"--format={_SAVED_MODEL} writes a directory; received "
                f"--output={_OUTPUT.value}. Give --format={name}, or the name "
                "of a directory."
            )


def _file(network):
    path = _OUTPUT.value
    return path, single_file.export(_FORMAT.value, network, path), ""


def _saved_model(network):
    from keras_resnetv2 import export

    path = export.export_saved_model(
        network,
        _OUTPUT.value,
        resize=_RESIZE.value,
        top_k=_TOP_K.value,
        precision=_PRECISION.value,
        pixel_limit=_PIXEL_LIMIT.value,
    )
    from keras_resnetv2.export.self_check import read_report  # on TensorFlow

    serves = f" {path.parent / 'serve.sh'} serves it."
    return path, read_report(path), serves


entry_point = common.entry_point(
    main,
    workdir="Directory of the training, instead of --model.",
    required=["output"],
    unused=["data_dir"],
    groups=network_flags.GROUPS,
)
