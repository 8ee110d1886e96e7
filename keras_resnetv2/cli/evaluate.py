"""Evaluates a trained network, from its work directory alone.

evaluate --workdir=runs/resnet20
"""

from absl import flags

from keras_resnetv2.cli import common

_DATASET = flags.DEFINE_string(
    "dataset", None, "Another data set of the same classes."
)
_SPLIT = flags.DEFINE_string("split", "test", "test or train.")
flags.mark_flag_as_required("workdir")


def main(argv):
    """Prints loss and error; writes evaluation.json."""
    from keras_resnetv2 import training

    result = training.evaluate(
        common.WORKDIR.value,
        dataset=_DATASET.value,
        split=_SPLIT.value,
        data_dir=common.DATA_DIR.value,
    )
    print(
        f"{result['model']} after step {result['step']:,} on the "
        f"{result['images']:,} {result['split']} images of "
        f"{result['dataset']}: error {result['error']:.2%}, "
        f"loss {result['loss']:.4f}"
    )


entry_point = common.entry_point(main)
