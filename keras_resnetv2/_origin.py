"""A network's origin: its standardization, its classes, its weights.

A layer stores it as text, which survives saving, loading and cloning.
"""

import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2._graph import upstream
from keras_resnetv2._standardization import STANDARDIZATIONS, Standardization
from keras_resnetv2._text import brief, one_line

# Name of the layer with one output per class.
CLASSIFIER = "predictions"
# Prefix of the names of a network's first layers.
STEM = "stem"

# Classes of operations that do not change values. Keras's augmentation layers,
# Random..., do nothing in inference.
_KEEP_VALUES = ("InputLayer", "Identity", "Cast", "ZeroPadding2D")

# Dataset -> names in the order of the labels. ImageNet's are the first words
# of its synsets in WordNet; "imagenet_ids" are the synsets' numbers, by which
# its folders are called.
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    path.stem: tuple(path.read_text(encoding="utf-8").splitlines())
    for path in sorted(
        pathlib.Path(__file__).with_name("class_names").glob("*.txt")
    )
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a network was trained on; unknown fields are None.

    It is set when the network is built, trained or loaded. Keras's
    `load_weights`, `set_weights` and `clone_model` do not change it, even
    though a clone has random weights.

    Attributes:
        weights: source of the weights: "cifar10" (published), the name of a
            file, or the dataset of a training. None for random weights.
        standardization: standardization of the network's input images.
        class_names: names in the order of the outputs.
        resize: shorter side of a picture before the centre crop, in pixels;
            None for the network's size.
    """

    weights: str | None = None
    standardization: Standardization | None = None
    class_names: tuple[str, ...] | None = None
    resize: int | None = None

    __repr__ = brief

    def to_text(self) -> str:
        """Returns the origin as JSON text, for `from_text`."""
        own = self.standardization
        return json.dumps(
            {**vars(self), "standardization": own and own.to_json()}
        )

    @classmethod
    def from_text(cls, text: str) -> "Origin":
        """Reads the output of `to_text`."""
        values = json.loads(text)
        own, names = values["standardization"], values["class_names"]
        values["standardization"] = own and Standardization.from_json(own)
        values["class_names"] = names and tuple(names)
        return cls(**values)


def network_of(value: Any) -> Any:
    """Returns the network of a `Trained`; anything else unchanged."""
    return value if hasattr(value, "layers") else getattr(value, "model", value)


def origin_of(network: Any) -> Origin:
    """Returns what a network, or the networks within it, were trained on.

    Args:
        network: a `keras.Model`.

    Returns:
        An `Origin`. A field is None if no layer has it, or if several layers
        differ in it. Only the network's own classifier has class names; other
        heads have none.
    """
    texts = (
        getattr(layer, "network_origin", None) for layer in all_layers(network)
    )
    origins = {Origin.from_text(text) for text in texts if text}

    def agreed(name):
        values = {getattr(origin, name) for origin in origins}
        return values.pop() if len(values) == 1 else None

    fields = dataclasses.fields(Origin)
    origin = Origin(**{field.name: agreed(field.name) for field in fields})
    if origin.class_names and not _classifies(network, origin.class_names):
        return dataclasses.replace(origin, class_names=None)
    return origin


def _classifies(network, class_names):
    """Returns whether the outputs come from the trained classifier.

    Operations without weights after it, such as a softmax or a mean of several
    networks, keep the order of the classes.
    """
    outputs = getattr(network, "outputs", None) or ()
    ends = {
        step.operation.name
        for step in upstream(outputs, stops_at=_has_weights)
        if _has_weights(step.operation)
    }
    return ends == {CLASSIFIER} and all(
        output.shape[-1] == len(class_names) for output in outputs
    )


def _has_weights(operation):
    return bool(getattr(operation, "weights", None))


def includes_preprocessing(network: Any) -> bool:
    """Returns whether a network standardizes its images as in its training.

    Args:
        network: a `keras.Model`.
    """
    own = origin_of(network).standardization
    ways = list(_ways_in(network))
    return bool(ways) and all(_standardizes(way, own) for way in ways)


def _ways_in(network):
    """Yields the operations that change the images before each trained part."""
    for step in upstream(getattr(network, "outputs", None) or ()):
        if getattr(step.operation, "network_origin", None):
            steps = upstream(step.node.input_tensors, step.within)
            operations = (other.operation for other in steps)
            before = itertools.dropwhile(_is_networks_own, operations)
            yield [op for op in before if not _keeps_values(op)]


def _is_networks_own(operation):
    """Returns whether it is a layer of the stem or of a unit."""
    return re.match(rf"{STEM}_|stage\d+_unit\d+_", operation.name)


def _keeps_values(operation):
    name = type(operation).__name__
    return name in _KEEP_VALUES or name.startswith("Random")


def _standardizes(operations, standardization):
    """Returns whether it is a single layer with this standardization."""
    kinds = [type(operation).__name__ for operation in operations]
    if kinds != ["Normalization"] or standardization is None:
        return False
    config = operations[0].get_config()
    return (
        not config.get("invert")
        and config.get("mean") is not None
        and np.array_equal(np.float32(config["mean"]), standardization.mean)
        and np.allclose(np.sqrt(config["variance"]), standardization.std)
    )


def all_layers(network: Any) -> Iterator[Any]:
    """Yields a network's layers, and those of the networks within it.

    Args:
        network: a `keras.Model`.
    """
    for layer in network.layers:
        yield from all_layers(layer) if hasattr(layer, "layers") else (layer,)


def get_standardization(standardization: Any) -> Standardization:
    """Returns the standardization of images for a network.

    Args:
        standardization: a key of `STANDARDIZATIONS`, a `Standardization`, the
            network, or its `Trained`.

    Returns:
        The standardization. For a network that includes its preprocessing, one
        that changes nothing.

    Raises:
        ValueError: if the name is unknown, or the network has no known
            standardization, or has other layers before its trained layers.
    """
    standardization = network_of(standardization)
    if isinstance(standardization, Standardization):
        return standardization
    if hasattr(standardization, "layers"):
        return _of_network(standardization)
    found = isinstance(standardization, str) and STANDARDIZATIONS.get(
        standardization
    )
    if not found:
        raise ValueError(
            "A standardization must be one of "
            f"{sorted(STANDARDIZATIONS)}, a Standardization, or a network that "
            f"has one; received {one_line(repr(standardization), 80)}."
        )
    return found


def standardization_for(network: Any, asked: Any) -> Standardization:
    """Returns the requested standardization of images, or a network's own.

    Args:
        network: a `keras.Model`.
        asked: see `get_standardization`; None for the network's own.

    Raises:
        ValueError: see `get_standardization`; also if the network includes
            another standardization.
    """
    if asked is None:
        return get_standardization(network)
    asked = get_standardization(asked)
    if not includes_preprocessing(network):
        return asked
    nothing = get_standardization(network)
    if asked not in (origin_of(network).standardization, nothing):
        raise ValueError(
            f"The network {network.name!r} includes its preprocessing, which "
            "differs from standardization: its images would be standardized "
            "twice. Omit standardization."
        )
    return nothing


def class_names_of(network: Any) -> tuple[str, ...]:
    """Returns the names of a network's classes.

    Args:
        network: a `keras.Model`.

    Raises:
        ValueError: if it has none.
    """
    return _known(
        network,
        "class_names",
        "the names of its classes",
        "its outputs are not those of a published or trained classifier",
        "Give them as class_names=, in the order of the labels.",
    )


def _of_network(network):
    own = _known(
        network,
        "standardization",
        "how its images were standardized",
        "it has neither published weights nor those of a training, or has "
        "several that differ",
        f"Give standardization=, one of {sorted(STANDARDIZATIONS)} or the "
        "training's.",
    )
    if includes_preprocessing(network):
        return Standardization(np.zeros_like(own.mean), np.ones_like(own.std))
    ways = list(_ways_in(network))
    if not ways or any(ways):
        names = sorted({repr(op.name) for way in ways for op in way})
        reason = (
            f"has {', '.join(names)} before its trained layers"
            if names
            else "is not a functional keras.Model"
        )
        raise ValueError(
            f"The network {network.name!r} {reason}, so it is not known "
            "whether it takes pixels or standardized images. Give "
            "standardization=. For pixels, give data.Standardization([0, 0, "
            "0], [1, 1, 1]), which changes nothing; otherwise one of "
            f"{sorted(STANDARDIZATIONS)} or the training's."
        )
    return own


def _known(network, field, what, why, advice):
    value = getattr(origin_of(network), field)
    if value is None:
        raise ValueError(
            f"The network {network.name!r} does not know {what}: {why}. (Files "
            "of version 0.1.0 do not have it; load_trained(workdir).model "
            f"does.) {advice}"
        )
    return value
