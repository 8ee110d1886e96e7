"""The model card of a shared network: README.md, as the hub reads it.

It states what is known. What is not is "not known".
"""

import dataclasses
import json
import numbers
import textwrap

from keras_resnetv2._standardization import Standardization
from keras_resnetv2._text import (
    brief,
    escape_markdown,
    markdown_table,
    one_line,
)
from keras_resnetv2.models import published
from keras_resnetv2.models.configs import MODELS
from keras_resnetv2.models.description import Description

_UNKNOWN = "not known"
_SHOWN_CLASSES = 20

# Dataset -> its identifier on the Hugging Face hub.
_ON_THE_HUB = {"cifar10": "uoft-cs/cifar10", "cifar100": "uoft-cs/cifar100"}


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """What a model card says of a network's training; None is not known.

    Attributes:
        license: the weights' license, as the hub names it: "apache-2.0".
        data: the training data.
        datasets: their identifiers on the Hugging Face hub.
        recipe: the recipe of the training.
        test_error: fraction of errors on the test images, 0 to 1.
        command: command of the training.
        text: Markdown below the title.

    Raises:
        ValueError: if a value is of another type, or the error is no fraction.

    Example:
        >>> import keras_resnetv2
        >>> keras_resnetv2.ModelCard(license="apache-2.0", test_error=0.08)
        ModelCard(license='apache-2.0', test_error=0.08)
    """

    license: str | None = None
    data: str | None = None
    datasets: tuple[str, ...] | None = None
    recipe: str | None = None
    test_error: float | None = None
    command: str | None = None
    text: str | None = None

    __repr__ = brief

    def __post_init__(self):
        for name, value in self.known().items():
            if name == "datasets":
                fits = not isinstance(value, str)
                fits = fits and all(isinstance(one, str) for one in value)
                expected = 'a tuple of names, such as ("uoft-cs/cifar10",)'
            elif name == "test_error":
                fits = isinstance(value, numbers.Real) and 0 <= value <= 1
                expected = "a fraction from 0 to 1"
            else:
                fits, expected = isinstance(value, str), "text"
            if not fits:
                raise ValueError(
                    f"{name} must be {expected}, or None; received {value!r}."
                )

    def known(self) -> dict:
        """Returns what is known, by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if value is not None
        }


def on_the_hub(dataset: str) -> tuple[str, ...] | None:
    """Returns a dataset's identifiers on the hub; None if it is not known.

    Args:
        dataset: its name.
    """
    return (_ON_THE_HUB[dataset],) if dataset in _ON_THE_HUB else None


def card_text(
    card: ModelCard,
    description: Description,
    parameters: int,
    file: str,
    sha256: str,
) -> str:
    """Writes README.md.

    Args:
        card: what is known of the training.
        description: the network.
        parameters: number of its trainable parameters.
        file: name of the weights' file.
        sha256: hash of the weights' file, in hexadecimal.
    """
    error = card.test_error
    told = {
        "Source of the weights": description.origin.weights,
        "Data": card.data,
        "Recipe": card.recipe,
        "Test error": None if error is None else f"{100 * error:.2f} %",
        "License": card.license,
    }
    training = {
        name: escape_markdown(value) if value else _UNKNOWN
        for name, value in told.items()
    }
    command = f" {_UNKNOWN}."
    if card.command:
        command = "\n\n" + textwrap.indent(card.command.strip(), "    ")
    return "\n".join(
        [
            _front_matter(card, description),
            f"# {escape_markdown(description.name)}",
            "",
            *([card.text.strip(), ""] if card.text else []),
            "A ResNet-v2 network (He, Zhang, Ren and Sun, [*Identity Mappings "
            "in Deep Residual Networks*](https://arxiv.org/abs/1603.05027), "
            "2016) of the Python package keras_resnetv2, for Keras 3.",
            "",
            *_usage(description),
            "## Architecture",
            "",
            _table(_architecture(description, parameters)),
            "",
            "`config.json` has all of it.",
            "",
            "## Training",
            "",
            _table(training),
            "",
            f"Command:{command}",
            "",
            "## Files",
            "",
            f"`{file}` has the SHA-256 `{sha256}`.",
            "",
        ]
    )


def _front_matter(card, description):
    """Returns the YAML that the hub reads. JSON's strings are also YAML's."""
    task = "classification" if description.include_top else "feature-extraction"
    lists = {
        "tags": ("keras_resnetv2", "resnet-v2"),
        "datasets": card.datasets,
        "metrics": card.test_error is not None and ("accuracy",),
    }
    lines = [
        "library_name: keras",
        f"pipeline_tag: image-{task}",
        *([f"license: {_quoted(card.license)}"] if card.license else []),
    ]
    for name, values in lists.items():
        if values:
            lines += [f"{name}:", *(f"- {_quoted(one)}" for one in values)]
    return "\n".join(["---", *lines, "---", ""])


def _quoted(text):
    return json.dumps(one_line(text), ensure_ascii=False)


def _usage(description):
    lines = [
        "```python",
        "import keras_resnetv2",
        "",
        'model = keras_resnetv2.from_pretrained("path/of/this/folder")',
    ]
    if description.origin.class_names and description.origin.standardization:
        lines += [
            '[answer] = keras_resnetv2.classify(model, ["picture.jpg"])',
            "name, score = answer[0]",
        ]
    return [*lines, "```", ""]


def _architecture(description, parameters):
    config, origin = description.network, description.origin
    names = [
        name
        for name, known in MODELS.items()
        if not published.differences(known, config)
    ]
    height, width, channels = (
        side or "any" for side in description.input_shape
    )
    pixels = "pixels, 0 to 255"
    if not description.include_preprocessing:
        pixels = "standardized pixels"
    standardization = _UNKNOWN
    if origin.standardization:
        standardization = _standardization(origin.standardization)
    return {
        "Network": names[0] if names else "none of the paper's",
        "Config": escape_markdown(repr(config)),
        "Parameters": f"{parameters:,}",
        "Input": f"{height} x {width} x {channels}, {pixels}",
        "Standardization": standardization,
        "Output": _output(description),
        "Classes": _classes(origin.class_names),
        "Precision": description.dtype.replace("_", "\\_"),
    }


def _standardization(own: Standardization):
    if own.mean.ndim == 3:
        return f"the mean and deviation of each pixel, {own.mean.shape}"
    mean, std = (
        ", ".join(f"{number:.2f}" for number in part)
        for part in (own.mean, own.std)
    )
    return f"mean {mean}; deviation {std}"


def _output(description):
    if description.features:
        return "the features of every resolution"
    if not description.include_top:
        return {None: "the last map", "avg": "its mean", "max": "its maximum"}[
            description.pooling
        ]
    kind = {"linear": "logits", "softmax": "probabilities"}.get(
        description.classifier_activation, description.classifier_activation
    )
    return f"{description.network.classes} {kind}"


def _classes(names):
    if not names:
        return _UNKNOWN
    shown = ", ".join(map(escape_markdown, names[:_SHOWN_CLASSES]))
    more = len(names) - _SHOWN_CLASSES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _table(rows):
    return markdown_table(("", ""), rows.items())
