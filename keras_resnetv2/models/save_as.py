"""`save_weights_as`: writes a network's weights for another project."""

import os

import keras
import numpy as np

from keras_resnetv2._checks import check_choice
from keras_resnetv2._files import replacing, user_path
from keras_resnetv2._requirements import check_installed
from keras_resnetv2.models import layer_names
from keras_resnetv2.models.network_configs import config_of
from keras_resnetv2.models.published import departures, differences
from keras_resnetv2.models.published_elsewhere import FILES
from keras_resnetv2.models.weight_names import (
    TORCH_WEIGHTS,
    find_names,
    to_theirs,
)

_TORCH = (".pth", ".pt", ".bin")
# keras.applications wants a size, which its weights do not depend on.
_ANY_SIZE = (224, 224)
# Project -> the formats that it loads.
FORMATS = {
    "keras_applications": (".weights.h5",),
    "timm": (".safetensors", *_TORCH),
    "pytorchcv": _TORCH,
}


def save_weights_as(
    model: keras.Model, project: str, path: str | os.PathLike[str]
) -> None:
    """Writes a network's weights in another project's format.

    The network must compute what that project's does: build it with
    `reference=project`.

    Args:
        model: a network of this package, with or without its top.
        project: "timm", "pytorchcv" or "keras_applications".
        path: the file. Its end gives the format: .safetensors (timm only),
            .pth, .pt or .bin for PyTorch, .weights.h5 for keras.applications.

    Raises:
        ValueError: if the project has no such network, or does not load the
            file's format.
        ImportError: if a package for the format is not installed.

    Example:
        >>> import keras_resnetv2
        >>> net = keras_resnetv2.PreActResNet20(reference="pytorchcv")
        >>> keras_resnetv2.save_weights_as(net, "pytorchcv", "net.pth")
        ... # doctest: +SKIP
    """
    check_choice("project", project, FORMATS)
    config = config_of(model)
    if config.reference != project:
        raise ValueError(
            f"{model.name} computes something else than {project}'s networks: "
            f"received reference={config.reference!r}. Build the network with "
            f"reference={project!r}, and train it so."
        )
    if found := departures(config):
        raise ValueError(
            f"{project} has no networks like {model.name}: "
            f"{'; '.join(found)}. Only networks that {project} also has can be "
            "saved for it."
        )
    path = user_path(path)
    end = next((e for e in FORMATS[project] if path.name.endswith(e)), None)
    if end is None:
        raise ValueError(
            f"The file for {project} must end in "
            f"{' or '.join(FORMATS[project])}; received {str(path)!r}."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        _WRITERS[end](model, config, part)


def _state(model, config):
    """Returns a network's weights by the project's names."""
    names = find_names(config.reference, config.stem)
    state = {}
    for layer in model.layers:
        for variable in layer.weights:
            there = names.of(layer.name, variable.name)
            if there is None or variable.name not in TORCH_WEIGHTS:
                raise ValueError(
                    f"{config.reference} has no weight like {layer.name}/"
                    f"{variable.name}. Only networks as the builders make them "
                    "can be saved for it."
                )
            value = keras.ops.convert_to_numpy(variable)
            # PyTorch does not take NumPy's form of bfloat16.
            value = value.astype(np.result_type(value, "float32"))
            if names.is_torch:
                is_head = layer.name == layer_names.CLASSIFIER
                value = to_theirs(value, is_head and names.head_is_convolution)
            state[there] = value
    return state


def _write_safetensors(model, config, path):
    check_installed("A .safetensors file")
    from safetensors.numpy import save_file

    state = _state(model, config)
    save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, path)


def _write_torch(model, config, path):
    check_installed("A file of PyTorch")
    import torch

    state = _state(model, config)
    tensors = {k: torch.tensor(v) for k, v in state.items()}
    torch.save(tensors, path)


def _write_keras(model, config, path):
    """Saves through the network of keras.applications itself."""
    rows = [row for row in FILES if row.reference == config.reference]
    fitting = (row for row in rows if not differences(row.config, config))
    if (row := next(fitting, None)) is None:
        raise ValueError(
            f"{config.reference} has no network like {model.name}, only "
            f"{', '.join(row.model for row in rows)}."
        )
    has_top = any(la.name == layer_names.CLASSIFIER for la in model.layers)
    theirs = getattr(keras.applications, row.model)(
        weights=None,
        include_top=has_top,
        input_shape=(*_ANY_SIZE, model.input_shape[-1]),
        classes=config.classes,
    )
    state = _state(model, config)
    for layer in theirs.layers:
        for variable in layer.weights:
            variable.assign(state[f"{layer.name}/{variable.name}"])
    theirs.save_weights(path)


_WRITERS = {
    ".safetensors": _write_safetensors,
    **dict.fromkeys(_TORCH, _write_torch),
    ".weights.h5": _write_keras,
}
