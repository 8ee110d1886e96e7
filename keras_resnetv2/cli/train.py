"""Trains a network, or goes on where the same command was cut off.

train --model=PreActResNet20 --dataset=cifar10 --workdir=runs/resnet20
"""

from absl import flags

from keras_resnetv2.cli import common

_MODEL = flags.DEFINE_string("model", None, "A name in MODELS: PreActResNet20.")
_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "cifar10, cifar100, cifar10_sample (bundled), fake, any TensorFlow "
    "Datasets name, or a folder of images with one directory a class.",
)
_EXPERIMENT_FLAGS = [
    flags.DEFINE_integer(
        "image_size", None, "Resize, or crop, images to it (pixels)."
    ),
    flags.DEFINE_string("recipe", "paper", "Recipe: paper, torch or imagenet."),
    flags.DEFINE_integer(
        "epochs",
        None,
        "Passes over the training images; the schedule is scaled to it. "
        "Default: the recipe's.",
    ),
    flags.DEFINE_integer(
        "batch_size",
        None,
        "Images a step, all replicas. Default: 128; imagenet 256.",
    ),
    flags.DEFINE_float(
        "learning_rate",
        None,
        "Before the first drop. Default: 0.1; imagenet: 0.1 for each 256 "
        "images of the batch.",
    ),
    flags.DEFINE_float(
        "backbone_learning_rate",
        None,
        "Likewise, of all layers but the classifier. Default: the same.",
    ),
    flags.DEFINE_float("weight_decay", None, "Coupled. Default: 1e-4."),
    flags.DEFINE_float("label_smoothing", 0.0, "0 is off."),
    flags.DEFINE_string(
        "initial_weights",
        None,
        "A work directory or a .weights.h5 file of the same network with any "
        "classes: all layers but the classifier begin with its weights.",
    ),
    flags.DEFINE_integer(
        "frozen_stages",
        None,
        "0: the stem keeps its weights and statistics; k: stages 1 to k, too.",
    ),
    flags.DEFINE_string(
        "standardization",
        None,
        "per_channel or per_pixel_mean (of the training images), cifar10 or "
        "imagenet (constants). Default: the initial weights', or the recipe's.",
    ),
    flags.DEFINE_string(
        "augmentation",
        None,
        "crop_flip or none (images in memory), scale or scale_aspect_ratio "
        "(decoded as needed). Default: crop_flip; imagenet: scale.",
    ),
    flags.DEFINE_string(
        "precision",
        "float32",
        "float32, mixed_bfloat16, mixed_float16 or float64; the head is "
        "float32 in the mixed ones.",
    ),
    flags.DEFINE_integer(
        "replicas",
        None,
        "Number of GPUs, or of logical CPUs where there is none. Default: all "
        "GPUs.",
    ),
    flags.DEFINE_integer("seed", 0, "Of weights, data order, augmentation."),
    flags.DEFINE_boolean(
        "deterministic",
        None,
        "Two runs agree to the bit. Default: on CPUs, where it is free.",
    ),
]
# ResNetConfig's fields; left out, each is the model's own.
_OPTION_FLAGS = [
    flags.DEFINE_string("activation_order", None, "A row of Fig. 4."),
    flags.DEFINE_string("shortcut", None, "A branch of Fig. 2."),
    flags.DEFINE_float("shortcut_scale", None, "For constant_scaling."),
    flags.DEFINE_float("residual_scale", None, "For constant_scaling."),
    flags.DEFINE_float("gate_bias", None, "For the gating shortcuts."),
    flags.DEFINE_float("dropout_rate", None, "For the dropout shortcut."),
    flags.DEFINE_string("unit", None, "basic, bottleneck or single."),
    flags.DEFINE_string("dimension_change", None, "padding or projection."),
    flags.DEFINE_string("bottleneck_stride", None, "conv1 or conv2."),
    flags.DEFINE_string("kernel_initializer", None, "A He initializer."),
    flags.DEFINE_string(
        "batch_normalization", None, "per_replica or synchronized."
    ),
    flags.DEFINE_float(
        "stochastic_depth", None, "Rate at which the last unit is dropped."
    ),
]
_CHECKPOINT_STEPS = flags.DEFINE_integer(
    "checkpoint_steps",
    None,
    "Write a checkpoint every so many steps, too, not only after an epoch.",
)
flags.mark_flags_as_required(["model", "dataset", "workdir"])


def main(argv):
    """Runs the training that the flags describe."""
    from keras_resnetv2 import training

    options = {f.name: f.value for f in _OPTION_FLAGS if f.value is not None}
    rows = training.train(
        training.Experiment(
            model=_MODEL.value,
            dataset=_DATASET.value,
            options=options,
            **{f.name: f.value for f in _EXPERIMENT_FLAGS},
        ),
        common.WORKDIR.value,
        data_dir=common.DATA_DIR.value,
        checkpoint_steps=_CHECKPOINT_STEPS.value,
    )
    error = f"test error {rows[-1].test_error:.2%}" if rows else "trained"
    print(f"Done: {error}. See {common.WORKDIR.value}.")


entry_point = common.entry_point(main)
