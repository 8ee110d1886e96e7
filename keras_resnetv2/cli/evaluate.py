"""Evaluates a trained network from its work directory.

keras-resnetv2-evaluate --workdir=runs/resnet20
"""

from absl import flags

from keras_resnetv2.cli import common
from keras_resnetv2.data.crops import EVALUATION_RESIZE

_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Another dataset with the same classes. Default: the training's.",
)
_SPLIT = common.define_split()
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "Side of the images in pixels. Default: the training's.",
    lower_bound=1,
)
_RESIZE = flags.DEFINE_integer(
    "resize",
    None,
    "Shorter side before the centre crop, if images are decoded as needed. "
    f"Default: {EVALUATION_RESIZE}. The paper's test at 320: "
    "--image_size=320 --resize=320.",
)


def main(argv):
    """Prints and writes loss and errors; writes the errors by class."""
    from keras_resnetv2 import training

    result = training.evaluate(
        common.WORKDIR.value,
        dataset=_DATASET.value,
        split=_SPLIT.value,
        data_dir=common.DATA_DIR.value,
        image_size=_IMAGE_SIZE.value,
        resize=_RESIZE.value,
    )
    top5 = ""
    if "top5_error" in result:
        top5 = f"top-5 error {result['top5_error']:.2%}, "
    split = result["split"].replace("_", "-")
    print(
        f"{result['model']} after step {result['step']:,} on the "
        f"{result['images']:,} {split} images of "
        f"{result['dataset']}: error {result['error']:.2%}, "
        f"{top5}loss {result['loss']:.4f}, "
        f"calibration error {result['calibration_error']:.2%}"
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the training; the results are also written there.",
    required=["workdir"],
)
