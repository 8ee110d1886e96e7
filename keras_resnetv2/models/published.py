"""The table of published weights, and the choice for a network."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_resnetv2._checks import check_choice
from keras_resnetv2.models.configs import (
    MODELS,
    ResNetConfig,
    call_of,
    find_config,
)
from keras_resnetv2.models.published_elsewhere import FILES, File


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """One file of trained weights.

    Attributes:
        model: a name in `MODELS`.
        tag: name of the training dataset, for `weights=`, `preprocess_input`
            and `decode_predictions`.
        file: name of the file.
        sha256: hash of the file, in hexadecimal.
        size: size of the file in bytes.
        test_error: fraction of errors on the dataset's test images (CIFAR-10:
            10,000), in float32, with this file and `preprocess_input`.
        steps: number of training steps.
        seed: seed of the training.
        command: command of the training, without its --workdir.
        options: `ResNetConfig` fields that replace the model's, by name.
        bundled: whether the file is part of this package; otherwise it is
            downloaded.
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
        """The model and its options, like a call."""
        return call_of(self.model, self.options)


# What another reference implies need not be said, too.
_BY_REFERENCE = ("bottleneck_stride", "dimension_change")
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
    """Lists the paper's networks by the names of their builders.

    Args:
        weights: True lists only networks with published weights that this
            package finds by their tag; a tag, "cifar10" or "imagenet", only
            those with weights of that tag.

    Raises:
        ValueError: if `weights` is something else.

    Example:
        >>> import keras_resnetv2
        >>> keras_resnetv2.list_models(weights="cifar10")
        ['PreActResNet20']
    """
    rows = [*PUBLISHED, *(row for row in FILES if row.md5)]
    known = sorted({row.tag for row in rows})
    check_choice("weights", weights, (False, True, *known))
    published = {row.model for row in rows if weights in (True, row.tag)}
    return [name for name in MODELS if name in published or not weights]


def is_tag(weights) -> bool:
    """Returns whether `weights` is the tag of any published weights."""
    tags = [row.tag for row in (*PUBLISHED, *FILES)]
    return isinstance(weights, str) and weights in tags


def tags(config: ResNetConfig) -> list[str]:
    """Lists the tags of all published weights for a network.

    Args:
        config: the network.
    """
    rows = (*PUBLISHED, *FILES)
    fitting = [row for row in rows if not differences(row.config, config)]
    return sorted({row.tag for row in fitting})


def find(tag: str, config: ResNetConfig) -> PublishedWeights | File:
    """Returns the published weights of a network.

    Options that do not change a trained network's outputs are ignored:
    initialization, number of classes, options of the training (dropout,
    stochastic depth, batch normalization on replicas), and depth instead of
    units_per_stage. If several weights fit, the most similar config is chosen.

    Args:
        tag: tag of the weights.
        config: the network.

    Returns:
        A row of this package, or of another project.

    Raises:
        ValueError: if there are none; lists the existing ones, and how the most
            similar one differs.
    """
    rows = [row for row in (*PUBLISHED, *FILES) if row.tag == tag]
    nearest = min(
        rows,
        key=lambda row: (
            len(differences(row.config, config)),
            _unlike(row.config, config),
        ),
    )
    found = differences(nearest.config, config)
    if found:
        labels = dict.fromkeys(row.label for row in rows)
        raise ValueError(
            f"weights={tag!r} are not published for this network, only for "
            f"{', '.join(labels)}. This network differs "
            f"from {nearest.label} in {'; '.join(found)}. Build one of the "
            "published networks, or train this one."
        )
    return nearest


def of_model(tag: str, model: str) -> PublishedWeights | File:
    """Returns the first published weights of a tag for a named network.

    Args:
        tag: tag of the weights.
        model: name in `MODELS`.

    Raises:
        ValueError: if there are none; lists the existing ones.
    """
    rows = [row for row in (*PUBLISHED, *FILES) if row.tag == tag]
    for row in rows:
        if MODELS[row.model] is find_config(model):
            return row
    labels = ", ".join(dict.fromkeys(row.label for row in rows))
    raise ValueError(
        f"weights={tag!r} are not published for {model}, only for {labels}."
    )


def differences(published: ResNetConfig, config: ResNetConfig) -> list[str]:
    """Lists the options that make a network differ from a published one.

    Args:
        published: the config of the published network.
        config: the config of the other network.

    Returns:
        A phrase per option; empty if the weights fit the network.
    """
    there, here = _trained_function(published), _trained_function(config)
    if published.reference != config.reference:
        here = {name: here[name] for name in here if name not in _BY_REFERENCE}
    return [
        f"{name}: {here[name]!r}, published {there[name]!r}"
        for name in here
        if name in there and here[name] != there[name]
    ]


def departures(config: ResNetConfig) -> list[str]:
    """Lists the options in which a network departs from its reference.

    Args:
        config: the network.

    Returns:
        A phrase per option; empty if the reference has such a network.
    """
    strides = config.traits.bottleneck_strides
    stride = config.bottleneck_stride
    plain = ResNetConfig(
        units_per_stage=config.units,
        widths=config.widths,
        stem=config.stem,
        unit=config.unit,
        reference=config.reference,
        bottleneck_stride=stride if stride in strides else None,
    )
    return differences(plain, config)


def _unlike(published, config):
    """Returns the number of all fields that differ."""
    there, here = map(dataclasses.asdict, (published, config))
    return sum(there[name] != here[name] for name in there)


def _trained_function(config):
    """Returns the options that change the outputs, with explicit defaults."""
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
        "bottleneck_stride": config.effective_bottleneck_stride,
        "reference": config.reference,
    }
    if config.shortcut != "conv":  # "conv" replaces it
        traits["dimension_change"] = config.effective_dimension_change
    return traits
