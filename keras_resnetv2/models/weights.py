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
from keras_resnetv2.models import (
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
from keras_resnetv2.models.specs import UNITS
from keras_resnetv2.models.weight_names import Names

# In the names of pytorchcv's files. The first one contains the second.
_SMALL_DATA_SETS = ("cifar100", "cifar10", "svhn")


class Weights(NamedTuple):
    """Weights for a network, found but not loaded.

    Attributes:
        name: what the user gave, for messages.
        state: name -> values, with their project's order of axes.
        names: the project's names; None for this package's.
        origin: what they were trained on.
    """

    name: str
    state: Mapping[str, np.ndarray]
    names: Names | None
    origin: Origin


def find(weights: Any, config: ResNetConfig) -> Weights | None:
    """Finds weights, and checks what can be checked before building a network.

    Args:
        weights: None, the tag of published weights, the path of a file (see
            `weight_files.FORMATS`), a `keras.Model` or a PyTorch module.
        config: the network.

    Returns:
        The weights; None for None.

    Raises:
        ValueError: if weights is something else, or belongs to another network.
        ImportError: if the file needs a package that is not installed.
        OSError: if published weights cannot be found or downloaded.
    """
    if weights is None:
        return None
    if published.is_tag(weights):
        return _tagged(weights, published.find(weights, config))
    state = _state_of(weights, config)
    if isinstance(weights, str | os.PathLike):
        file = os.path.basename(weights)
        name = f"weights={os.fspath(weights)!r}"
    else:
        name = file = getattr(weights, "name", type(weights).__name__)
    names = weight_names.recognise(state.keys())
    found = Weights(name, state, names, Origin(file))
    _check_project(found, weights, config)
    return found._replace(origin=_presumed_origin(found, weights, config))


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
        source = Weights("", _state_of(weights, config), None, Origin())
        names = weight_names.recognise(source.state.keys())
        source = source._replace(names=names)
        found = {"classes": _classes(source) or config.classes}
        if names is not None:
            found |= {"reference": names.reference, "stem": _stem_of(source)}
    kept = {name: value for name, value in found.items() if name not in fixed}
    return dataclasses.replace(config, **kept)


def _expected(weights, config):
    tags = ", ".join(map(repr, published.tags(config)))
    return (
        "weights must be None (random initialisation), the name of published "
        f"weights, a network, or the path of a file: {weight_files.FORMATS}; "
        f"received {weights!r}. Published for this network: {tags or 'none'}."
    )


def _state_of(weights, config):
    """Reads weights without a tag."""
    if isinstance(weights, str | os.PathLike):
        weights = os.path.expanduser(weights)
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
    names = weight_names.recognise(state.keys())
    return Weights(f"weights={tag!r}", state, names, origin)


def _presumed_origin(found, source, config):
    """Returns the origin of weights without a tag.

    A network of this package knows it. Weights of another project are presumed
    to be published ones, by the number of classes and the file's name.
    """
    if isinstance(source, keras.Model) and origin_of(source) != Origin():
        return origin_of(source)
    name = found.origin.weights
    if found.names is None:
        return Origin(name)
    tags = [tag for tag in _SMALL_DATA_SETS if tag in name]
    if config.stem != "cifar":
        tags = ["imagenet"]
    names = CLASS_NAMES.get(tags[0]) if tags else None
    if names and len(names) != _classes(found):
        names = None
    return Origin(name, config.traits.standardization, names)


def _check_project(found, source, config):
    """Checks that weights are for a network of this reference and stem."""
    here = {"reference": config.reference, "stem": config.stem}
    if found.names is None:
        if f"{layer_names.unit(1, 1)}_conv1/kernel" in found.state:
            _check_own_network(found, source, config)
            return
        some = ", ".join(sorted(found.state)[:3]) or "no weights"
        raise ValueError(
            f"{found.name} has unknown names: {some}, and so on. Expected a "
            "ResNet-v2 with batch normalization of "
            f"{', '.join(PROJECTS)}, or a network of this package."
        )
    stem = _stem_of(found)
    if (config.reference, config.stem) == (found.names.reference, stem):
        return
    model, options = _fitting(found, stem)
    raise ValueError(
        f"{found.name} holds a network of {found.names.reference}, which "
        f"computes something else than this one; received {here}. Build "
        f"{call_of(model, options)} instead."
    )


def _check_own_network(found, source, config):
    if not isinstance(source, keras.Model):
        return
    differences = published.differences(config_of(source), config)
    if differences:
        raise ValueError(
            f"{found.name} {source.name!r} differs from this network in "
            f"{'; '.join(differences)}. Build the network with the options of "
            "that one."
        )


def _stem_of(found):
    """Returns the stem of the network that weights hold."""
    names, state = found.names, found.state
    if names.of("stem_conv", "kernel") in state:
        return names.stems[0]
    first, last = (
        state[names.of(layer, "kernel")].shape[0]
        for layer in ("stem_conv1", "stem_conv3")
    )
    return "imagenet_deep" if 2 * first == last else "imagenet_tiered"


def _fitting(found, stem):
    """Returns the model and the options of the network that weights hold."""
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
            return model, options
    return "ResNetV2", {"config": "...", **options}


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
        model = ResNet(model.inputs, own.input)
        warnings.warn(
            f"{weights.name}: the classifier is not loaded, because the "
            f"weights have {classes or 'no'} classes and this network "
            f"{own.units}. It keeps its random weights.",
            stacklevel=4,
        )
    _load_state(model, weights)
    return with_top


def _classes(weights):
    """Returns the number of classes that weights have; 0 without a head."""
    kernel = weights.state.get(_name_in(weights, layer_names.CLASSIFIER))
    if kernel is None:
        return 0
    is_torch = weights.names and weights.names.transposed
    return kernel.shape[0 if is_torch else -1]


def _name_in(weights, layer, weight="kernel"):
    if weights.names is None:
        return f"{layer}/{weight}"
    return weights.names.of(layer, weight)


def _load_state(model, weights):
    """Loads weights by their names."""
    values, problems, used = [], [], set()
    for layer in model.layers:
        for variable in layer.weights:
            here = f"{layer.name}/{variable.name}"
            there = _name_in(weights, layer.name, variable.name)
            if there not in weights.state:
                problems.append(f"{here} is missing ({there or 'no name'})")
                continue
            used.add(there)
            value = weights.state[there]
            if weights.names and weights.names.transposed:
                value = weight_names.to_ours(value, len(variable.shape))
            if value.shape != tuple(variable.shape):
                problems.append(
                    f"{here} has shape {tuple(variable.shape)}, {there} has "
                    f"{value.shape}"
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
            "(input_shape) of the weights'. Nothing was loaded."
        )
    for variable, value in values:
        variable.assign(value)
