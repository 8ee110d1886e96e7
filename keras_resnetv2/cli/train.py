r"""Trains a network, or resumes an interrupted training.

keras-resnetv2-train --model=PreActResNet20 --dataset=cifar10 \
  --workdir=runs/resnet20
keras-resnetv2-train --config=runs/resnet20/experiment.json --seed=1 \
  --workdir=runs/seed1
"""

from absl import flags

from keras_resnetv2.cli import common, experiment_flags

_CHECKPOINT_STEPS = common.define_checkpoint_steps()
_CHECK_IMAGES = flags.DEFINE_boolean(
    "check_images",
    False,
    "Read every image file of a folder first, and list all unusable files.",
)


def main(argv):
    """Runs the training that the flags describe."""
    from keras_resnetv2 import training

    experiment = experiment_flags.read_experiment()
    rows = training.train(
        experiment,
        common.WORKDIR.value,
        data_dir=common.DATA_DIR.value,
        checkpoint_steps=_CHECKPOINT_STEPS.value,
        check_images=_CHECK_IMAGES.value,
    )
    done = "trained"
    if rows:
        done = f"{experiment.tested_on} error {rows[-1].test_error:.2%}"
    print(f"Done: {done}. See {common.WORKDIR.value}.")


entry_point = common.entry_point(
    main,
    workdir="Directory of the training: a new one, or one to resume.",
    required=["workdir"],
    groups=experiment_flags.GROUPS,
    resumes=True,
)
