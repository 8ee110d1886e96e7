r"""Measures a network's loss and errors on test images.

keras-resnetv2-evaluate --workdir=runs/resnet20

Or a network without a training's work directory:

keras-resnetv2-evaluate --model=PreActResNet20 --weights=cifar10 \
  --dataset=cifar10_sample
"""

from absl import flags

from keras_resnetv2.cli import common, network_flags
from keras_resnetv2.data.crops import EVALUATION_RESIZE

_DATASET = common.define_dataset()
_SPLIT = common.define_split()
_RESIZE = flags.DEFINE_integer(
    "resize",
    None,
    "Shorter side before the centre crop, if images are decoded as needed. "
    f"Default: {EVALUATION_RESIZE} for a training, otherwise the network's "
    "own. The paper's test at 320: --image_size=320 --resize=320.",
)
_OUTPUT = common.define_output(
    "evaluation.json, classes.csv (errors by class), confusion.csv and "
    "confusion.png"
)


def main(argv):
    """Prints loss and errors; writes them, and the errors by class."""
    from keras_resnetv2 import training

    result = training.evaluate(
        network_flags.workdir_or_network(_DATASET),
        dataset=_DATASET.value,
        split=_SPLIT.value,
        data_dir=common.DATA_DIR.value,
        image_size=network_flags.IMAGE_SIZE.value,
        resize=_RESIZE.value,
        output=_OUTPUT.value,
    )
    top5 = ""
    if "top5_error" in result:
        top5 = f"top-5 error {result['top5_error']:.2%}, "
    split = result["split"].replace("_", "-")
    source = f"with the weights of {result.get('weights')}"
    if "step" in result:
        source = f"after step {result['step']:,}"
    print(
        f"{result['model']} {source} on the "
        f"{result['images']:,} {split} images of "
        f"{result['dataset']}: error {result['error']:.2%}, "
        f"{top5}loss {result['loss']:.4f}, "
        f"calibration error {result['calibration_error']:.2%}"
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the training, instead of --model or --weights.",
    groups=network_flags.GROUPS,
)
