"""The published weights as a table, and which of them a network takes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_resnetv2._checks import check_choice
from keras_resnetv2.models.configs import MODELS, ResNetConfig


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """One file of trained weights.

    Attributes:
        model: a name in `MODELS`.
        tag: what `weights=` takes: the data set it was trained on, whose name
            `preprocess_input` and `decode_predictions` take.
        file: its name.
        sha256: of the file, in hexadecimal.
        size: of the file in bytes.
        test_error: the fraction of the data set's test images (of CIFAR-10
            10,000) that it takes for another class, in float32, from the file
            and through `preprocess_input`.
        steps: of the training.
        seed: of the training.
        command: of the training, less its --workdir.
        options: `ResNetConfig` fields that replace the model's, by name.
        bundled: whether it is a part of this package, or to be downloaded.
    """

    model: str
    tag: str
    file: str
    sha256: str
    size: int
    test_error: float
    steps: int
    seed: int
    command: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    bundled: bool = True

    @property
    def config(self) -> ResNetConfig:
        """The network that was trained."""
        return dataclasses.replace(MODELS[self.model], **self.options)

    @property
    def label(self) -> str:
        """The model and its options, as one would call it."""
        options = (f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.model}({', '.join(options)})"


_IN_INFERENCE = {"dropout": "identity"}

# tools/publish.py prints a row.
PUBLISHED = (
    PublishedWeights(
        model="PreActResNet20",
        tag="cifar10",
        file="PreActResNet20-cifar10.weights.h5",
        sha256="edf511b31e7b04ec719402c2fe6295b1"
        "b058f83b11c587be56ca9e81b5400421",
        size=1_270_888,
        test_error=0.0801,
        steps=64_000,
        seed=0,
        command="keras-resnetv2-train --model=PreActResNet20 "
        "--dataset=cifar10 --recipe=paper --precision=mixed_bfloat16 --seed=0",
    ),
)


def list_models(weights: bool | str = False) -> list[str]:
    """Names the paper's networks, as the builders and `ResNetV2` take them.

    Args:
        weights: True names only those with published weights; a tag, as
            "cifar10", only those with weights of that tag.

    Raises:
        ValueError: if `weights` is neither.

    Example:
        >>> import keras_resnetv2
        >>> keras_resnetv2.list_models(weights=True)
        ['PreActResNet20']
    """
    known = sorted({row.tag for row in PUBLISHED})
    check_choice("weights", weights, (False, True, *known))
    published = {row.model for row in PUBLISHED if weights in (True, row.tag)}
    return [name for name in MODELS if name in published or not weights]


def is_tag(weights) -> bool:
    """Whether `weights` is the tag of any published weights."""
    tags = [row.tag for row in PUBLISHED]
    return isinstance(weights, str) and weights in tags


def tags(config: ResNetConfig) -> list[str]:
    """The tags of all weights that are published for a network.

    Args:
        config: the network.
    """
    fitting = [row for row in PUBLISHED if not differences(row.config, config)]
    return sorted({row.tag for row in fitting})


def find(tag: str, config: ResNetConfig) -> PublishedWeights:
    """The published weights of a network.

    What changes nothing in a trained network's answers is no difference:
    initialisation, number of classes, what training alone does (dropout,
    stochastic depth, how BN sees replicas), and how the same size is written.
    Of several that answer alike it is the one whose config is the most alike.

    Args:
        tag: of the weights.
        config: the network.

    Raises:
        ValueError: if there are none: says which there are, and in what the
            most similar one differs.
    """
    rows = [row for row in PUBLISHED if row.tag == tag]
    nearest = min(
        rows,
        key=lambda row: (
            len(differences(row.config, config)),
            _unlike(row.config, config),
        ),
    )
    found = differences(nearest.config, config)
    if found:
        raise ValueError(
            f"weights={tag!r} are not published for this network. They are "
            f"for {', '.join(row.label for row in rows)}; from "
            f"{nearest.label} this one differs in {'; '.join(found)}. "
            "Build one of these, or train it."
        )
    return nearest


def differences(published: ResNetConfig, config: ResNetConfig) -> list[str]:
    """In what a network's answers differ from a published one's.

    Args:
        published: the config of the published network.
        config: of the other one.

    Returns:
        A phrase a field; none where the weights are the network's.
    """
    there, here = _trained_function(published), _trained_function(config)
    return [
        f"{name}: {here[name]!r}, published {there[name]!r}"
        for name in here
        if name in there and here[name] != there[name]
    ]


def _unlike(published, config):
    """Number of fields that differ, those of training alone as well."""
    there, here = map(dataclasses.asdict, (published, config))
    return sum(there[name] != here[name] for name in there)


def _trained_function(config):
    """What the answers depend on beside the weights, defaults resolved."""
    _, unit = next(config.unit_specs())
    traits = {
        "stem": config.stem,
        "unit": config.unit,
        "units_per_stage": config.units,
        "widths": config.widths,
        "activation_order": config.activation_order,
        "shortcut": _IN_INFERENCE.get(config.shortcut, config.shortcut),
        "shortcut_scale": unit.shortcut_scale,
        "residual_scale": unit.residual_scale,
        "bottleneck_stride": config.bottleneck_stride,
    }
    if config.shortcut != "conv":  # which takes its place
        traits["dimension_change"] = config.bridge
    return traits
