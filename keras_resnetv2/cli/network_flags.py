"""Loads the trained network that the flags name."""

from typing import TYPE_CHECKING

from absl import flags

from keras_resnetv2.cli import common

if TYPE_CHECKING:
    import keras

MODEL = flags.DEFINE_string(
    "model",
    None,
    "Network with published weights, instead of --workdir: PreActResNet20.",
)
WEIGHTS = flags.DEFINE_string(
    "weights", None, "Published weights for --model: cifar10."
)
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "Side of the network's input in pixels. Default: the training's.",
    lower_bound=1,
)
FLAGS = [MODEL, WEIGHTS, IMAGE_SIZE]

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
    return _trained() if "workdir" in asked else _published()


def _trained():
    from keras_resnetv2 import training

    trained = training.load_trained(
        common.WORKDIR.value, dtype="float32", image_size=IMAGE_SIZE.value
    )
    return trained.experiment.model, trained.model


def _published():
    from keras_resnetv2 import ResNetV2
    from keras_resnetv2.models import configs, published

    name, tag = MODEL.value, WEIGHTS.value
    if not published.is_tag(tag):
        tags = sorted({row.tag for row in published.PUBLISHED})
        raise ValueError(
            f"--weights={tag} are not published weights; expected one of "
            f"{', '.join(tags)}. For a training of your own, give its "
            "--workdir instead."
        )
    row = published.find(tag, configs.find_config(name))
    size = IMAGE_SIZE.value or row.config.input_size
    network = ResNetV2(
        row.config,
        weights=tag,
        input_shape=(size, size, 3),
        name=name.lower(),
    )
    return name, network
