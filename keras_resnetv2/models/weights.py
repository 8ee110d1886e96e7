"""Finds and loads a network's weights."""

import dataclasses
import os
import warnings
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_resnetv2._origin import CLASS_NAMES, Origin, origin_of
from keras_resnetv2._standardization import STANDARDIZATIONS
from keras_resnetv2._text import one_line
from keras_resnetv2.models import (
    hub,
    layer_names,
    published,
    weight_files,
    weight_names,
)
from keras_resnetv2.models.configs import MODELS, ResNetConfig, call_of
from keras_resnetv2.models.downloads import path_of
from keras_resnetv2.models.network import ResNet
from keras_resnetv2.models.network_configs import config_of
from keras_resnetv2.models.published import PublishedWeights
from keras_resnetv2.models.published_elsewhere import PROJECTS
from keras_resnetv2.models.specs import STEMS, UNITS
from keras_resnetv2.models.weight_names import Names

# In the names of pytorchcv's files. The first one contains the second.
_SMALL_DATASETS = ("cifar100", "cifar10", "svhn")


class Weights(NamedTuple):
    """Weights for a network, found but not loaded.

    Attributes:
        name: what the user gave, for messages.
        state: name -> values, with their project's order of axes.
        names: the project's names; None for this package's.
        origin: what they were trained on.
        is_certain: whether the origin is known; otherwise it is presumed.
    """

    name: str
    state: Mapping[str, np.ndarray]
    names: Names | None
    origin: Origin = Origin()
    is_certain: bool = False


def find(weights: Any, config: ResNetConfig) -> Weights | None:
    """Finds weights, and checks what can be checked before building a network.

    Args:
        weights: None, the tag of published weights, the path of a file (see
            `weight_files.FORMATS`), a `keras.Model` or a PyTorch module; or
            what this function returned.
        config: the network.

    Returns:
        The weights; None for None.

    Raises:
        ValueError: if weights is something else, or belongs to another network.
        ImportError: if the file needs a package that is not installed.
        OSError: if published weights cannot be found or downloaded.
    """
    if weights is None or isinstance(weights, Weights):
        return weights
    if published.is_tag(weights):
        return _tagged(weights, published.find(weights, config))
    state = _state_of(weights, config)
    if isinstance(weights, str | os.PathLike):
        file = os.path.basename(weights)
        name = f"weights={os.fspath(weights)!r}"
    else:
        name = file = getattr(weights, "name", type(weights).__name__)
    names = weight_names.recognize(state.keys())
    found = Weights(name, state, names)
    network, own = _stored(weights)
    _check_project(found, network, config)
    if own != Origin():
        return found._replace(origin=own, is_certain=True)
    return found._replace(origin=_presumed_origin(found, file, config))


def with_classes(config: ResNetConfig, weights: Weights | None) -> ResNetConfig:
    """Returns a config with the number of classes of weights, if they have one.

    Args:
        config: the network otherwise.
        weights: made by `find`.
    """
    classes = weights and _classes(weights)
    return dataclasses.replace(config, classes=classes or config.classes)


def fitting_config(
    weights: Any, config: ResNetConfig, model: str, fixed: Collection[str] = ()
) -> ResNetConfig:
    """Returns a config with the reference, stem and classes of weights.

    Args:
        weights: see `find`, but not None.
        config: the network otherwise.
        model: its name in `MODELS`.
        fixed: fields that do not change.

    Raises:
        ValueError: see `find`.
    """
    if published.is_tag(weights):
        row = published.of_model(weights, model)
        names = ("classes", "reference", *row.options)
        found = {name: getattr(row.config, name) for name in names}
    else:
        state = _state_of(weights, config)
        names = weight_names.recognize(state.keys())
        source = Weights("", state, names)
        found = {"classes": _classes(source) or config.classes}
        if names is not None:
            found |= {"reference": names.reference, "stem": _stem_of(source)}
    kept = {name: value for name, value in found.items() if name not in fixed}
    return dataclasses.replace(config, **kept)


def _expected(weights, config):
    tags = ", ".join(map(repr, published.tags(config)))
    return (
        "weights must be None (random initialization), the name of published "
        f"weights, a network, or the path of a file: {weight_files.FORMATS}; "
        f"received {one_line(repr(weights), 80)}. Published for this network: "
        f"{tags or 'none'}."
    )


def _state_of(weights, config):
    """Reads weights without a tag."""
    if isinstance(weights, str | os.PathLike):
        weights = os.path.expanduser(weights)
        if os.path.isdir(weights) or hub.is_address(weights):
            raise ValueError(
                f"weights={weights!r} is not a file of weights. For a network "
                "that save_pretrained wrote, call from_pretrained; for a work "
                "directory, load_trained. Both give a network, which can be "
                "given as weights."
            )
        if not os.path.isfile(weights):
            raise ValueError(
                f"weights={weights!r}: there is no such file. "
                f"{_expected(weights, config)}"
            )
    elif not (
        isinstance(weights, keras.Model) or hasattr(weights, "state_dict")
    ):
        raise ValueError(_expected(weights, config))
    return weight_files.read(weights)


def _tagged(tag, row):
    is_own = isinstance(row, PublishedWeights)
    origin = Origin(
        weights=tag,
        standardization=STANDARDIZATIONS[tag]
        if is_own
        else row.config.traits.standardization,
        class_names=CLASS_NAMES.get(tag),
        resize=None if is_own else row.resize,
    )
    state = weight_files.read(path_of(row))
    names = weight_names.recognize(state.keys())
    return Weights(f"weights={tag!r}", state, names, origin, True)


def _stored(weights):
    """Returns the config and the origin that a network stores, if it does."""
    if isinstance(weights, keras.Model):
        try:
            return config_of(weights), origin_of(weights)
        except ValueError:  # none of this package
            return None, Origin()
    if isinstance(weights, str | os.PathLike):
        text, own = weight_files.read_texts(os.path.expanduser(weights))
        network = text and ResNetConfig.from_text(text)
        return network, Origin.from_text(own) if own else Origin()
    return None, Origin()


def _presumed_origin(found, name, config):
    """Returns the origin of another project's weights.

    They are presumed to be published ones, by the number of classes and the
    file's name.
    """
    if found.names is None:
        return Origin(name)
    tags = [tag for tag in _SMALL_DATASETS if tag in name]
    if config.stem != "cifar":
        tags = ["imagenet"]
    names = CLASS_NAMES.get(tags[0]) if tags else None
    if names and len(names) != _classes(found):
        names = None
    sizes = {
        row.resize
        for row in published.FILES
        if not published.differences(row.config, config)
    }
    resize = sizes.pop() if len(sizes) == 1 else None
    return Origin(name, config.traits.standardization, names, resize)


def fitted_origin(origin: Origin, model: keras.Model, has_head: bool) -> Origin:
    """Returns the part of weights' origin that is true of a network.

    Args:
        origin: what the weights were trained on.
        model: the network with these weights.
        has_head: whether its classifier is theirs.
    """
    if not has_head:
        origin = dataclasses.replace(origin, class_names=None)
    size = config_of(model).input_size
    if model.inputs[0].shape[1:3] != (size, size):
        origin = dataclasses.replace(origin, resize=None)
    return origin


def _check_project(found, network, config):
    """Checks that weights are for a network of this reference and stem."""
    if found.names is None:
        if f"{layer_names.unit(1, 1)}_conv1/kernel" not in found.state:
            some = ", ".join(sorted(found.state)[:3]) or "no weights"
            raise ValueError(
                f"{found.name} has unknown names: {some}, and so on. Expected "
                "a ResNet-v2 with batch normalization of "
                f"{', '.join(PROJECTS)}, or a network of this package. If it "
                "is a layer of the network that you gave, give that layer."
            )
        differences = network and published.differences(network, config)
        if differences:
            raise ValueError(
                f"{found.name} differs from this network in "
                f"{'; '.join(differences).replace('published', 'there')}. "
                "Build the network with the options of that one."
            )
        return
    stem = _stem_of(found, config)
    theirs = found.names.reference
    if (config.reference, config.stem) != (theirs, stem):
        raise ValueError(
            f"{found.name} holds a network of {theirs} with stem={stem!r}. "
            "This network has "
            f"reference={config.reference!r} and stem={config.stem!r}, which "
            f"compute something else. Build {_fitting(found, stem)} instead."
        )
    if departures := published.departures(config):
        raise ValueError(
            f"{found.name} holds a network of {theirs}, which computes "
            "something else than this one. This one has other options: "
            f"{'; '.join(departures).replace('published', 'there')}. Omit them."
        )


def _stem_of(found, config=None):
    """Returns the stem of the network that weights hold.

    Args:
        found: weights of another project.
        config: the network that they are asked for; its stem is preferred.
    """
    names, state = found.names, found.state
    if names.of("stem_conv", "kernel") in state:
        return names.stems[0]
    widths = [
        len(state.get(names.of(f"stem_conv{i + 1}", "kernel"), ()))
        for i in range(3)
    ]

    def has_widths(stem):
        return widths[:2] == [
            max(1, int(part * widths[2])) for _, part in STEMS[stem].convs[:2]
        ]

    asked = [config.stem] if config else []
    deep = [stem for stem in names.stems if len(STEMS[stem].convs) == 3]
    fitting = [stem for stem in asked + deep if stem in deep]
    return next(filter(has_widths, fitting), deep[0])


def _fitting(found, stem):
    """Writes the network that weights hold as a call."""
    names = found.names
    options = {"reference": names.reference}
    if stem not in ("cifar", "imagenet"):
        options["stem"] = stem

    def has(stage, unit, conv=1):
        layer = f"{layer_names.unit(stage, unit)}_conv{conv}"
        return names.of(layer, "kernel") in found.state

    for model, config in MODELS.items():
        convs = len(UNITS[config.unit])
        if (
            (config.stem == "cifar") == (stem == "cifar")
            and all(
                has(stage, units, convs)
                and not has(stage, units, convs + 1)
                and not has(stage, units + 1)
                for stage, units in enumerate(config.units, 1)
            )
            and not has(len(config.units) + 1, 1)
        ):
            return call_of(model, options)
    options["stem"] = stem
    return call_of("ResNetConfig", options).replace("(", "(..., ")


def load(
    model: keras.Model, weights: Weights | None, new_head: bool = True
) -> bool:
    """Loads weights into a network; None does nothing.

    Args:
        model: a network as built, or its backbone.
        weights: made by `find`.
        new_head: whether the classifier stays as it is, with a warning, if the
            weights have none, or one with another number of classes.

    Returns:
        Whether the network has a classifier with these weights.

    Raises:
        ValueError: if the weights do not fit; nothing is loaded then.
    """
    has_top = any(la.name == layer_names.CLASSIFIER for la in model.layers)
    if weights is None:
        return False
    classes = _classes(weights)
    with_top = has_top and classes == model.output_shape[-1]
    if has_top and not with_top and new_head:
        own = model.get_layer(layer_names.CLASSIFIER)
        _load_state(ResNet(model.inputs, own.input), weights)
        warnings.warn(
            f"{weights.name}: the classifier is not loaded, because the "
            f"weights have {classes or 'no'} classes and this network "
            f"{own.units}. It keeps its random weights.",
            stacklevel=4,
        )
    else:
        _load_state(model, weights)
    return with_top


def _classes(weights):
    """Returns the number of classes that weights have; 0 without a head."""
    kernel = weights.state.get(_name_in(weights, layer_names.CLASSIFIER))
    if kernel is None:
        return 0
    is_torch = weights.names and weights.names.is_torch
    return kernel.shape[0 if is_torch else -1]


def _name_in(weights, layer, weight="kernel"):
    if weights.names is None:
        return f"{layer}/{weight}"
    return weights.names.of(layer, weight)


def _advice(weights):
    if weights.names is None:
        return ""
    return f", for instance {_fitting(weights, _stem_of(weights))}"


def _load_state(model, weights):
    """Loads weights by their names."""
    values, problems, used = [], [], set()
    for layer in model.layers:
        for variable in layer.weights:
            here = f"{layer.name}/{variable.name}"
            there = _name_in(weights, layer.name, variable.name)
            if there not in weights.state:
                theirs = "" if there == here else f" ({there or 'no such'})"
                problems.append(f"{here} is missing{theirs}")
                continue
            used.add(there)
            value = weights.state[there]
            if weights.names and weights.names.is_torch:
                value = weight_names.to_ours(value, len(variable.shape))
            if value.shape != tuple(variable.shape):
                problems.append(
                    f"{here} has shape {tuple(variable.shape)}, {there} has "
                    f"{value.shape}"
                )
            elif value.dtype.kind != "f" or not np.isfinite(value).all():
                problems.append(
                    f"{there} has values that are no finite real numbers "
                    f"({value.dtype})"
                )
            values.append((variable, value))
    tops = {
        _name_in(weights, layer_names.CLASSIFIER, weight)
        for weight in ("kernel", "bias")
    }
    surplus = sorted(weights.state.keys() - used - tops)
    problems += [f"{name} belongs to no layer" for name in surplus]
    if problems:
        more = len(problems) - 3
        raise ValueError(
            f"{weights.name} does not fit this network: "
            f"{'; '.join(problems[:3])}{f'; and {more} more' * (more > 0)}. "
            "Build the network with the size, options and channels "
            f"(input_shape) of the weights'{_advice(weights)}. Nothing was "
            "loaded."
        )
    for variable, value in values:
        variable.assign(value)
