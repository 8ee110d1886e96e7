"""Measures how signal and gradient propagate through a trained network.

keras-resnetv2-propagation --workdir=runs/resnet20
"""

from absl import flags

from keras_resnetv2._requirements import check_installed
from keras_resnetv2.cli import common

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


def main(argv):
    """Prints a table; writes propagation.csv and propagation.png."""
    check_installed("A plot")
    from keras_resnetv2 import analysis
    from keras_resnetv2._files import write_atomically
    from keras_resnetv2.training.workdir import Workdir

    directory = Workdir(common.WORKDIR.value)
    measured = analysis.measure_trained(
        directory.path,
        images=_IMAGES.value,
        split=_SPLIT.value,
        data_dir=common.DATA_DIR.value,
        training=_TRAINING.value,
    )
    print(measured.table())
    write_atomically(directory.path / "propagation.csv", measured.csv())
    plot = directory.path / "propagation.png"
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
    workdir="Directory of the training; the files are also written there.",
    required=["workdir"],
)
