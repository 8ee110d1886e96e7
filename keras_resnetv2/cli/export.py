"""Exports a trained network for TF Serving, from its work directory alone.

export --workdir=runs/resnet20 --output=serving/resnet20

Or a network with published weights:

export --model=PreActResNet20 --weights=cifar10 --output=serving/published
"""

import importlib.util
import os

from absl import flags

from keras_resnetv2.cli import common
from keras_resnetv2.export.saved_model import PIXEL_LIMIT, PRECISIONS

_MODEL = flags.DEFINE_string(
    "model", None, "With --weights, in place of --workdir: PreActResNet20, say."
)
_WEIGHTS = flags.DEFINE_string("weights", None, "Published ones: cifar10.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Directory of the versions; the next one is added."
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    list(PRECISIONS),
    "bfloat16 is for processors that have it.",
)
_TOP_K = flags.DEFINE_integer("top_k", 5, "How many classes `classify` names.")
_PIXEL_LIMIT = flags.DEFINE_integer(
    "pixel_limit", PIXEL_LIMIT, "A picture of more pixels is not decoded."
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", None, "Of the network, in pixels. Default: the training's."
)
_RESIZE = flags.DEFINE_integer(
    "resize",
    None,
    "Shorter side of a picture before the centre crop, in pixels. Default: as "
    "evaluate does: image_size, or, where images were decoded as needed, "
    "image_size * 256 / 224.",
)
flags.mark_flag_as_required("output")

# Which of --workdir, --model and --weights go together.
_SOURCES = ([True, False, False], [False, True, True])


def main(argv):
    """Writes the next version of the SavedModel."""
    # What was trained on another backend loads on TensorFlow as well.
    if importlib.util.find_spec("tensorflow"):
        os.environ["KERAS_BACKEND"] = "tensorflow"
    from keras_resnetv2 import export

    asked = (common.WORKDIR.value, _MODEL.value, _WEIGHTS.value)
    if [value is not None for value in asked] not in _SOURCES:
        raise ValueError(
            "What is to be exported is given by --workdir, or by --model and "
            f"--weights; received --workdir={asked[0]}, --model={asked[1]}, "
            f"--weights={asked[2]}."
        )
    name, network = _published() if asked[0] is None else _trained()
    if _RESIZE.value is not None:
        network["resize"] = _RESIZE.value
    path = export.export_saved_model(
        directory=_OUTPUT.value,
        **network,
        top_k=_TOP_K.value,
        precision=_PRECISION.value,
        pixel_limit=_PIXEL_LIMIT.value,
    )
    from keras_resnetv2.export.self_check import read_report  # on TensorFlow

    report = read_report(path)
    print(
        f"Exported {name} to {path}. Its answers in a "
        f"fresh process are within {report['largest_difference']:.1g} of the "
        f"network's ({report['allowed']:.1g} is allowed). "
        f"{path.parent / 'serve.sh'} serves it."
    )


def _trained():
    """The network's name, and what the export has to know of it."""
    from keras_resnetv2 import training

    trained = training.load_trained(
        common.WORKDIR.value, dtype="float32", image_size=_IMAGE_SIZE.value
    )
    return trained.experiment.model, {
        "model": trained.model,
        "standardization": trained.facts.standardization,
        "class_names": trained.facts.class_names,
        "resize": trained.resize,
    }


def _published():
    """Likewise of published weights, whose tag names their data set."""
    from keras_resnetv2 import ResNetV2, data
    from keras_resnetv2.models import configs, published

    name, tag = _MODEL.value, _WEIGHTS.value
    if not published.is_tag(tag):
        tags = sorted({row.tag for row in published.PUBLISHED})
        raise ValueError(
            f"--weights={tag} are no published weights; expected one of "
            f"{', '.join(tags)}. Of a training give the --workdir."
        )
    row = published.find(tag, configs.find_config(name))
    size = _IMAGE_SIZE.value or row.config.input_size
    return name, {
        "model": ResNetV2(
            row.config,
            weights=tag,
            input_shape=(size, size, 3),
            name=name.lower(),
        ),
        "standardization": data.STANDARDIZATIONS[tag],
        "class_names": data.CLASS_NAMES[tag],
    }


entry_point = common.entry_point(main)
