"""What a network was trained on: its pixels, its classes, its weights.

A layer carries it, as text, which survives saving, loading and cloning.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2._graph import upstream
from keras_resnetv2._standardization import STANDARDIZATIONS, Standardization
from keras_resnetv2._text import brief, one_line

# The layer whose answers have the names of the classes.
CLASSIFIER = "predictions"

# Classes of operations after which pixels are pixels, and standardized images
# standardized; Keras's augmentation, Random..., is idle in inference.
_KEEP_VALUES = ("InputLayer", "Identity", "Cast", "ZeroPadding2D")

# By data set, in the order of its labels.
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "cifar10": (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a network was trained on; None where that is not known.

    It is what the network was built, trained or loaded with. Keras's own
    `load_weights` and `set_weights` leave it as it is, and so does
    `clone_model`, whose clone has random weights.

    Attributes:
        weights: where they come from: "cifar10" (published), the name of a
            file, or the data set of a training. None for random ones.
        standardization: of the images it takes.
        class_names: in the order of its answers.
        resize: shorter side of a picture before the centre crop, in pixels;
            None for the network's size.
    """

    weights: str | None = None
    standardization: Standardization | None = None
    class_names: tuple[str, ...] | None = None
    resize: int | None = None

    __repr__ = brief

    def to_json(self) -> str:
        """Writes it as text, which `from_json` reads."""
        own = self.standardization
        return json.dumps(
            {**vars(self), "standardization": own and own.to_json()}
        )

    @classmethod
    def from_json(cls, text: str) -> "Origin":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        own, names = values["standardization"], values["class_names"]
        values["standardization"] = own and Standardization.from_json(own)
        values["class_names"] = names and tuple(names)
        return cls(**values)


def network_of(value: Any) -> Any:
    """Returns the network of a `Trained`; anything else as it came."""
    return value if hasattr(value, "layers") else getattr(value, "model", value)


def origin_of(network: Any) -> Origin:
    """Returns what a network, or those within it, were trained on.

    Args:
        network: a `keras.Model`.

    Returns:
        An `Origin`; a field is None where no layer carries it, or where
        several do that differ. Names of classes are those of the network's
        own classifier: another head has none.
    """
    texts = (
        getattr(layer, "network_origin", None) for layer in all_layers(network)
    )
    origins = {Origin.from_json(text) for text in texts if text}

    def agreed(name):
        values = {getattr(origin, name) for origin in origins}
        return values.pop() if len(values) == 1 else None

    fields = dataclasses.fields(Origin)
    origin = Origin(**{field.name: agreed(field.name) for field in fields})
    if origin.class_names and not _classifies(network, origin.class_names):
        return dataclasses.replace(origin, class_names=None)
    return origin


def _classifies(network, class_names):
    """Whether the answers are those of a classifier that was trained for them.

    What stands behind it without weights, a softmax or a mean of several
    networks, leaves the classes in their order.
    """
    outputs = getattr(network, "outputs", None) or ()
    ends = {
        node.operation.name
        for node, _ in upstream(outputs, stops_at=_has_weights)
        if _has_weights(node.operation)
    }
    return ends == {CLASSIFIER} and all(
        output.shape[-1] == len(class_names) for output in outputs
    )


def _has_weights(operation):
    return bool(getattr(operation, "weights", None))


def includes_preprocessing(network: Any) -> bool:
    """Tells whether a network standardizes its images itself, as its training.

    Args:
        network: a `keras.Model`.
    """
    own = origin_of(network).standardization
    ways = list(_ways_in(network))
    return bool(ways) and all(_standardizes(way, own) for way in ways)


def _ways_in(network):
    """Yields what changes the images before each part with an origin."""
    for node, within in upstream(getattr(network, "outputs", None) or ()):
        if getattr(node.operation, "network_origin", None):
            # The first one is the convolution that the part begins with.
            _, *before = upstream(node.input_tensors, within)
            operations = [other.operation for other, _ in before]
            yield [op for op in operations if not _keeps_values(op)]


def _keeps_values(operation):
    name = type(operation).__name__
    return name in _KEEP_VALUES or name.startswith("Random")


def _standardizes(operations, standardization):
    """Whether it is one layer that does just this."""
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
    """Returns what standardizes images for a network.

    Args:
        standardization: a key of `STANDARDIZATIONS`, a `Standardization`, or
            the network, or a `Trained` of it.

    Returns:
        The standardization; one that changes nothing for a network that
        includes its preprocessing.

    Raises:
        ValueError: if there is none of that name, or the network carries none,
            or does something else to its images.
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
            f"carries one; received {one_line(repr(standardization), 80)}."
        )
    return found


def standardization_for(network: Any, asked: Any) -> Standardization:
    """Returns what standardizes images for a network, as asked or its own.

    Args:
        network: a `keras.Model`.
        asked: as of `get_standardization`; None for the network's own.

    Raises:
        ValueError: as `get_standardization`, and for another one than that
            which the network includes.
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
            "is another one than standardization says: its images would be "
            "standardised twice. Leave standardization out."
        )
    return nothing


def class_names_of(network: Any) -> tuple[str, ...]:
    """Returns the names of a network's classes.

    Args:
        network: a `keras.Model`.

    Raises:
        ValueError: if it carries none.
    """
    return _known(
        network,
        "class_names",
        "the names of its classes",
        "its answers are not those of a published or trained classifier",
        "Give them as class_names=, in the order of the labels.",
    )


def _of_network(network):
    own = _known(
        network,
        "standardization",
        "how its images were standardized",
        "it has neither published weights nor those of a training, or several "
        "that differ",
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
            else "is no functional keras.Model"
        )
        raise ValueError(
            f"The network {network.name!r} {reason}: whether it takes pixels "
            "or standardized images is not known. Give standardization=, "
            "for pixels data.Standardization([0, 0, 0], [1, 1, 1]), which "
            f"changes nothing, otherwise one of {sorted(STANDARDIZATIONS)} or "
            "the training's."
        )
    return own


def _known(network, field, what, why, advice):
    value = getattr(origin_of(network), field)
    if value is None:
        raise ValueError(
            f"The network {network.name!r} does not know {what}: {why}. (Files "
            "of version 0.1.0 do not carry it; load_trained(workdir).model "
            f"does.) {advice}"
        )
    return value
