"""Loads the trained network that the flags name."""

from typing import TYPE_CHECKING

from absl import flags

from keras_resnetv2.cli import common
from keras_resnetv2.cli.option_flags import NETWORK_OPTIONS, given

if TYPE_CHECKING:
    import keras

MODEL = flags.DEFINE_string(
    "model",
    None,
    "Network instead of --workdir, such as PreActResNet20; with --weights.",
)
WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "Weights for --model: cifar10 or imagenet (published), or the path of a "
    "file of this package or of another project, as the guide Weights says.",
)
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "Side of the network's input in pixels. Default: the training's.",
    lower_bound=1,
)
# Titles in --help.
GROUPS = {
    "Network": [MODEL, WEIGHTS, IMAGE_SIZE],
    "Options of --model; defaults are the weights', else the model's": (
        NETWORK_OPTIONS
    ),
}

# Flags that are given together.
_SOURCES = ({"workdir"}, {"model", "weights"})


def load_network(
    *more: flags.FlagHolder[str | None],
) -> "tuple[str, keras.Model] | None":
    """Loads the network of --workdir, or of --model and --weights.

    Args:
        *more: flags of other sources; one of them may be given instead.

    Returns:
        The network's name and the network in float32, which knows its
        preprocessing and its classes; None for another source.

    Raises:
        ValueError: if no source or several are given, or the network does not
            exist.
    """
    asked = {
        flag.name: flag.value
        for flag in (common.WORKDIR, MODEL, WEIGHTS, *more)
        if flag.value is not None
    }
    if asked and set(asked) in [{flag.name} for flag in more]:
        return None
    if set(asked) not in _SOURCES:
        others = "".join(f", or by --{flag.name}" for flag in more)
        received = [f"--{name}={value}" for name, value in asked.items()]
        raise ValueError(
            "Give the network by --workdir, or by --model and --weights"
            f"{others}; received {', '.join(received) or 'none of them'}."
        )
    if "workdir" in asked and (options := given(NETWORK_OPTIONS)):
        raise ValueError(
            f"--{next(iter(options))} is for --model; the network of a "
            "--workdir has its own. Omit one of the two."
        )
    return _trained() if "workdir" in asked else _with_weights()


def _trained():
    from keras_resnetv2 import training

    trained = training.load_trained(
        common.WORKDIR.value, dtype="float32", image_size=IMAGE_SIZE.value
    )
    return trained.experiment.model, trained.model


def _with_weights():
    import dataclasses

    from keras_resnetv2 import ResNetV2
    from keras_resnetv2.models import configs, weights

    name, options = MODEL.value, given(NETWORK_OPTIONS)
    asked = dataclasses.replace(configs.find_config(name), **options)
    config = weights.fitting_config(
        WEIGHTS.value, asked, model=name, fixed=options
    )
    size = IMAGE_SIZE.value or config.input_size
    network = ResNetV2(
        config,
        weights=WEIGHTS.value,
        input_shape=(size, size, 3),
        name=name.lower(),
    )
    return name, network
