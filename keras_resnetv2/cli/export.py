r"""Exports a trained network for TF Serving from its work directory.

keras-resnetv2-export --workdir=runs/resnet20 --output=serving/resnet20

Or a network with published weights:

keras-resnetv2-export --model=PreActResNet20 --weights=cifar10 \
  --output=serving/published
"""

import os

from absl import flags

from keras_resnetv2._requirements import check_installed
from keras_resnetv2.cli import common, network_flags
from keras_resnetv2.data.crops import EVALUATION_RESIZE
from keras_resnetv2.export.saved_model import PIXEL_LIMIT, PRECISIONS

_OUTPUT = flags.DEFINE_string(
    "output", None, "Directory of the versions; a new version is added."
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    list(PRECISIONS),
    "Precision of the convolutions; bfloat16 is for processors that have it.",
)
_TOP_K = flags.DEFINE_integer(
    "top_k", 5, "Number of classes that `classify` returns."
)
_PIXEL_LIMIT = flags.DEFINE_integer(
    "pixel_limit", PIXEL_LIMIT, "Pictures with more pixels are not decoded."
)
_RESIZE = flags.DEFINE_integer(
    "resize",
    None,
    "Shorter side of a picture before the centre crop, in pixels. Default: "
    f"image_size, or {EVALUATION_RESIZE} if the training decoded images as "
    "needed.",
)


def main(argv):
    """Writes the next version of the SavedModel."""
    check_installed("A SavedModel")
    # Networks trained on another backend can be loaded on TensorFlow.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from keras_resnetv2 import export

    name, network = network_flags.load_network()
    path = export.export_saved_model(
        network,
        _OUTPUT.value,
        resize=_RESIZE.value,
        top_k=_TOP_K.value,
        precision=_PRECISION.value,
        pixel_limit=_PIXEL_LIMIT.value,
    )
    from keras_resnetv2.export.self_check import read_report  # on TensorFlow

    report = read_report(path)
    print(
        f"Exported {name} to {path}. Its outputs in a new process differ from "
        f"the network's by at most {report['largest_difference']:.1g} "
        f"({report['allowed']:.1g} is allowed). "
        f"{path.parent / 'serve.sh'} serves it."
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the training, instead of --model.",
    required=["output"],
    unused=["data_dir"],
    groups=network_flags.GROUPS,
)
