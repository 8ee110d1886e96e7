r"""Measures how signal and gradient propagate through a trained network.

keras-resnetv2-propagation --workdir=runs/resnet20

Or through a network without a training's work directory:

keras-resnetv2-propagation --model=PreActResNet20 --weights=cifar10 \
  --dataset=cifar10_sample --output=measured
"""

from absl import flags

from keras_resnetv2._directories import check_no_file
from keras_resnetv2._files import user_path, write_atomically
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.cli import common, network_flags

_DATASET = common.define_dataset()
_IMAGES = flags.DEFINE_integer(
    "images",
    None,
    "Number of images; one and a half training steps on them must fit into "
    "memory. Default: 64, or 8 for images larger than 64 pixels.",
)
_SPLIT = common.define_split()
_TRAINING = flags.DEFINE_boolean(
    "training",
    True,
    "Normalize with the batch's statistics and apply dropout, as in a training "
    "step; otherwise use the stored statistics.",
)
_OUTPUT = common.define_output("propagation.csv and propagation.png")


def main(argv):
    """Prints a table; writes propagation.csv and propagation.png."""
    folder = _OUTPUT.value or common.WORKDIR.value
    if folder is not None:
        check_installed("A plot")
    if _OUTPUT.value is not None:
        check_no_file("output", user_path(_OUTPUT.value))
    from keras_resnetv2 import analysis

    measured = analysis.measure_trained(
        network_flags.workdir_or_network(_DATASET),
        images=_IMAGES.value,
        dataset=_DATASET.value,
        split=_SPLIT.value,
        data_dir=common.DATA_DIR.value,
        image_size=network_flags.IMAGE_SIZE.value,
        training=_TRAINING.value,
    )
    print(measured.table())
    if folder is None:
        return
    folder = user_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "propagation.csv", measured.csv())
    plot = folder / "propagation.png"
    analysis.plot_propagation(
        measured,
        plot,
        title=f"{measured.model}, {measured.samples} {_SPLIT.value} images",
    )
    print(
        f"All {len(measured.rows)} units: {plot.with_suffix('.csv')}. Plot: "
        f"{plot}."
    )


entry_point = common.entry_point(
    main,
    workdir="Directory of the training, instead of --model or --weights.",
    groups=network_flags.GROUPS,
)
