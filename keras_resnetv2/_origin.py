"""What a network was trained on: its pixels, its classes, its weights.

A layer carries it, as text, which survives saving, loading and cloning.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_resnetv2._standardization import STANDARDIZATIONS, Standardization
from keras_resnetv2._text import brief

# Of a layer within the network, which takes pixels then.
PREPROCESSING = "preprocessing"

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


def origin_of(network: Any) -> Origin:
    """Returns what a network, or one within it, was trained on.

    Args:
        network: a `keras.Model`.

    Returns:
        An `Origin`; all its fields are None where no layer carries one.
    """
    texts = (
        getattr(layer, "network_origin", None) for layer in all_layers(network)
    )
    text = next(filter(None, texts), None)
    return Origin.from_json(text) if text else Origin()


def includes_preprocessing(network: Any) -> bool:
    """Tells whether a network standardizes its images itself.

    Args:
        network: a `keras.Model`.
    """
    return any(layer.name == PREPROCESSING for layer in all_layers(network))


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
            the network.

    Returns:
        The standardization; one that changes nothing for a network that
        includes its preprocessing.

    Raises:
        ValueError: if there is none of that name, or the network carries none.
    """
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
            f"carries one; received {standardization!r}."
        )
    return found


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
        "Give them as class_names=, in the order of the labels.",
    )


def _of_network(network):
    own = _known(
        network,
        "standardization",
        "how its images were standardized",
        f"Give one of {sorted(STANDARDIZATIONS)}, or the training's "
        "Standardization.",
    )
    if includes_preprocessing(network):
        return Standardization(np.zeros_like(own.mean), np.ones_like(own.std))
    return own


def _known(network, field, what, advice):
    value = getattr(origin_of(network), field)
    if value is None:
        raise ValueError(
            f"The network {network.name!r} does not know {what}: it has "
            f"neither published weights nor those of a training. {advice}"
        )
    return value
