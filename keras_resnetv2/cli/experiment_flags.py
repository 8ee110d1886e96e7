"""The flags that make an experiment, and the file they may begin from."""

from absl import flags

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    "A JSON file of an Experiment's fields, or a work directory's "
    "experiment.json. Flags given beside it replace what it says.",
)
_FIELD_FLAGS = [
    flags.DEFINE_string("model", None, "A name in MODELS: PreActResNet20."),
    flags.DEFINE_string(
        "dataset",
        None,
        "cifar10, cifar100, cifar10_sample (bundled), fake, any TensorFlow "
        "Datasets name, or a folder of images with one directory a class.",
    ),
    flags.DEFINE_integer(
        "image_size", None, "Resize, or crop, images to it (pixels)."
    ),
    flags.DEFINE_float(
        "held_out",
        None,
        "Fraction of the training images that is not trained on and is tested "
        "on after every epoch, in place of the test set.",
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
        "classes, or cifar10 (published weights): all layers but the "
        "classifier begin with its weights.",
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
_NEEDED = ("model", "dataset")


def read_experiment(**defaults):
    """Makes the experiment of --config, if any, and of the flags given.

    Args:
        **defaults: fields that neither need name.

    Returns:
        A `training.Experiment`.

    Raises:
        ValueError: if neither names model and data set, or what they say does
            not fit.
    """
    from keras_resnetv2 import training

    from_file = _CONFIG.value is not None
    fields = training.read_settings(_CONFIG.value) if from_file else {}
    fields = {**defaults, **fields, **_given(_FIELD_FLAGS)}
    fields["options"] = {**fields.get("options", {}), **_given(_OPTION_FLAGS)}
    missing = [f"--{name}" for name in _NEEDED if name not in fields]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} must be given, or a --config file that "
            "has both model and dataset."
        )
    return training.Experiment(**fields)


def _given(some):
    """Values of the flags that are on the command line, by name."""
    return {flag.name: flag.value for flag in some if flag.present}


def is_given(name: str) -> bool:
    """Whether a flag of an experiment is on the command line."""
    return name in _given(_FIELD_FLAGS + _OPTION_FLAGS)
