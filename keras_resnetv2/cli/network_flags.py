"""Loads the trained network that the flags name."""

from typing import TYPE_CHECKING

from absl import flags

from keras_resnetv2._directories import TRAINING
from keras_resnetv2._files import user_path
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
    "file of this package or of another project, as the guide Weights says. "
    "Without --model, a shared network: a folder that save_pretrained wrote, "
    "or hf://user/name.",
)
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "Side of the network's input in pixels. Default: the training's, or the "
    "network's own.",
    lower_bound=1,
)
# Titles in --help.
GROUPS = {
    "Network": [MODEL, WEIGHTS, IMAGE_SIZE],
    "Options of --model; defaults are the weights', else the model's": (
        NETWORK_OPTIONS
    ),
}


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
            exist or does not know its preprocessing.
    """
    load = _loader(more)
    return load and load()


def workdir_or_network(
    dataset: flags.FlagHolder[str | None],
) -> "str | keras.Model":
    """Returns the work directory, or loads the network that is given instead.

    Args:
        dataset: the flag of the images, which only a training has itself.

    Raises:
        ValueError: see `load_network`; also if there are no images.
    """
    load = _loader(())
    if load is _trained:
        return common.WORKDIR.value
    if dataset.value is None:
        raise ValueError(
            f"--weights={WEIGHTS.value} comes without images. Give "
            f"--{dataset.name}: a folder with one directory per class, or the "
            "name of a dataset, such as cifar10_sample."
        )
    _, network = load()
    return network


def _loader(more):
    """Returns the function that loads the network; None for another source."""
    asked = {
        flag.name: flag.value
        for flag in (common.WORKDIR, MODEL, WEIGHTS, *more)
        if flag.value is not None
    }
    names, weights = set(asked), asked.get("weights")
    if names in [{flag.name} for flag in more]:
        return None
    shared = weights is not None and _is_shared(weights)
    if names == {"model", "weights"} and not shared:
        return _with_weights
    if names != {"workdir"} and not (names == {"weights"} and shared):
        others = "".join(f", or by --{flag.name}" for flag in more)
        received = [f"--{name}={value}" for name, value in asked.items()]
        raise ValueError(
            "Give the network by --workdir, or by --model and --weights, or by "
            "--weights alone if it is a shared network (an existing "
            f"folder of save_pretrained, or hf://user/name){others}; received "
            f"{', '.join(received) or 'none of them'}."
        )
    if options := given(NETWORK_OPTIONS):
        raise ValueError(
            f"--{next(iter(options))} is for --model; the network of "
            f"--{names.pop()}={weights or common.WORKDIR.value} has its own. "
            "Omit one of the two."
        )
    return _shared if shared else _trained


def _is_shared(weights):
    from keras_resnetv2.models.sharing import is_shared

    if (user_path(weights) / TRAINING).is_file():
        raise ValueError(
            f"--weights={weights} is the work directory of a training. Give it "
            f"alone, as --workdir={weights}."
        )
    return is_shared(weights)


def _trained():
    from keras_resnetv2 import training

    trained = training.load_trained(
        common.WORKDIR.value, dtype="float32", image_size=IMAGE_SIZE.value
    )
    return trained.experiment.model, trained.model


def _shared():
    from keras_resnetv2 import from_pretrained

    network = from_pretrained(WEIGHTS.value, "float32", IMAGE_SIZE.value)
    return network.name, network


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
    if network.origin.standardization is None:
        raise ValueError(
            f"--weights={WEIGHTS.value} does not say how its images were "
            "standardized: a file of this package's weights holds nothing "
            "else. Give the --workdir of its training, or the folder of a "
            "shared network."
        )
    return name, network
