"""Reads weights by name: from networks, and files of several formats."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import ml_dtypes
import numpy as np

from keras_resnetv2._origin import all_layers
from keras_resnetv2._requirements import check_installed
from keras_resnetv2._text import one_line

FORMATS = (
    "a .weights.h5, .h5 or .keras of Keras, a .safetensors, or a .pth, .pt, "
    ".bin or .zip of PyTorch"
)
_IN_KERAS_ARCHIVE = "model.weights.h5"
_CONFIG_IN_KERAS_ARCHIVE = "config.json"
_IN_ZIP = (".pth", ".pt", ".bin")
# Keras 3 stores a layer's weights by number.
_KERNEL_FIRST = ("kernel", "bias")
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Where training scripts put a network's weights within a checkpoint.
_NESTED = ("state_dict", "model_state_dict", "state_dict_ema", "model")
# Of wrappers: data parallel and compiled modules.
_WRAPPERS = ("module.", "_orig_mod.")
_COUNTER = "num_batches_tracked"


def read(source: Any) -> dict[str, np.ndarray]:
    """Reads weights by their project's names.

    Args:
        source: a `keras.Model`, a PyTorch module, or the path of a file, one of
            `FORMATS`. Its content tells the format.

    Returns:
        Name -> values, with the project's order of axes. Names of Keras's
        weights are "layer/weight".

    Raises:
        ValueError: if the file has another format, is damaged, or a pickle
            holds more than weights.
        ImportError: if the format needs a package that is not installed.
    """
    if isinstance(source, keras.Model):
        return _named(
            (f"{layer.name}/{variable.name}", _single(variable))
            for layer in all_layers(source)
            for variable in layer.weights
        )
    if hasattr(source, "state_dict"):
        return _arrays(source.state_dict())
    path = os.fspath(source)
    try:
        return _reader_of(path)(path)
    except ImportError:
        raise
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"weights={path!r} is refused: its pickle is damaged or holds more "
            "than weights, and loading that could run its code. If you trust "
            "it, write its weights alone into a file of safetensors."
        ) from error
    # The readers have no common class for a damaged file.
    except Exception as error:
        raise ValueError(
            f"weights={path!r} cannot be read: "
            f"{one_line(str(error), 200) or type(error).__name__}. Expected "
            f"{FORMATS}. If it should be one, it is damaged: get it again."
        ) from error


def read_texts(path: str) -> tuple[str | None, str | None]:
    """Reads what a network of this package stores in a .keras file.

    Args:
        path: path of any file.

    Returns:
        Its config and its origin as text; None for what is not there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(_CONFIG_IN_KERAS_ARCHIVE)
    except (KeyError, zipfile.BadZipFile):
        return None, None
    found = {}

    def keep(values):
        for name in ("network_config", "network_origin"):
            if isinstance(values.get(name), str):
                found.setdefault(name, values[name])
        return values

    json.loads(content, object_hook=keep)
    return found.get("network_config"), found.get("network_origin")


def _reader_of(path):
    if h5py.is_hdf5(path):
        return _hdf5
    if path.endswith(".h5"):  # a page of errors, say, and no pickle either
        raise ValueError("it is no HDF5 file")
    with open(path, "rb") as file:
        start = file.read(9)
    # The length of a header in JSON, in eight bytes.
    if start.endswith(b"{"):
        return _safetensors
    if zipfile.is_zipfile(path):
        return _zip
    if start.startswith(pickle.PROTO):
        return _torch
    raise ValueError(f"it begins with {start[:8]!r}")


def _hdf5(file):
    with h5py.File(file) as stored:
        # A whole model of Keras 2 has its weights in a group.
        layers = stored.get("model_weights", stored)
        is_keras_2 = "layer_names" in layers.attrs
        return _named(
            _of_keras_2(layers) if is_keras_2 else _of_keras_3(layers)
        )


def _of_keras_2(layers) -> Iterator[tuple[str, np.ndarray]]:
    for layer in map(_text, layers.attrs["layer_names"]):
        group = _here(layers, layer)
        for name in map(_text, group.attrs["weight_names"]):
            # A network within the network has its own layers' names.
            *_, owner, weight = [layer, *name.split("/")]
            yield f"{owner}/{weight.removesuffix(':0')}", _values(group, name)


def _here(group, name):
    """Returns a part of a file, but not of another file, which HDF5 allows."""
    part = group[name]
    is_dataset = isinstance(part, h5py.Dataset)
    if part.file != group.file or (
        is_dataset and (part.external or part.is_virtual)
    ):
        raise ValueError(f"its {name} is in another file")
    return part


def _values(group, name):
    stored = _here(group, name)
    values = stored[()]
    if stored.attrs.get("dtype") == "bfloat16":  # HDF5 has no such numbers
        values = values.view(ml_dtypes.bfloat16)
    return _single(values)


def _single(values):
    """Turns half precision, which NumPy knows in part, into single."""
    values = keras.ops.convert_to_numpy(values)
    is_half = str(values.dtype) in ("bfloat16", "float16")
    return values.astype(np.float32) if is_half else values


def _named(pairs):
    """Makes a dict of named values; refuses a name that occurs twice."""
    named = {}
    for name, values in pairs:
        if name in named:
            raise ValueError(
                f"two of the weights are called {name!r}: give one network"
            )
        named[name] = values
    return named


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _of_keras_3(file) -> Iterator[tuple[str, np.ndarray]]:
    groups = []

    def visit(path, item):
        parts = path.split("/")
        if parts[-1] == "vars" and parts[0] != "optimizer" and len(item):
            groups.append(item)

    file.visititems(visit)
    if any("name" not in group.attrs for group in groups):
        raise ValueError(
            "it has no names of layers, because an early Keras 3 wrote it. "
            "Load it with load_weights into the network that it is for, and "
            "give that network, or save it again"
        )
    for group in groups:
        values = [_values(group, str(i)) for i in range(len(group))]
        names = _KERNEL_FIRST if values[0].ndim > 1 else _BATCH_NORM
        for name, value in zip(names, values):
            yield f"{group.attrs['name']}/{name}", value


def _zip(path):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if _IN_KERAS_ARCHIVE in names:
            return _hdf5(io.BytesIO(archive.read(_IN_KERAS_ARCHIVE)))
        for name in names:
            hidden = name.startswith("__MACOSX/")
            if name.endswith(_IN_ZIP) and not hidden:  # pytorchcv's
                return _torch(io.BytesIO(archive.read(name)))
    return _torch(path)  # which is a zip itself


def _safetensors(path):
    check_installed("A .safetensors file")
    from safetensors.numpy import load_file

    return {name: _single(value) for name, value in load_file(path).items()}


def _torch(file):
    check_installed("A file of PyTorch")
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True)
    for key in _NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise ValueError(
            "it holds no dictionary of tensors, also under none of "
            f"{', '.join(_NESTED)}"
        )
    return _arrays(state)


def _arrays(state):
    """Turns PyTorch's tensors into arrays, in float32 at least."""
    for prefix in _WRAPPERS:
        state = {name.removeprefix(prefix): t for name, t in state.items()}
    return {
        name: _numbers(tensor)
        for name, tensor in state.items()
        if not name.endswith(_COUNTER)
    }


def _numbers(tensor):
    tensor = tensor.detach().cpu()
    half = str(tensor.dtype) in ("torch.bfloat16", "torch.float16")
    return (tensor.float() if half else tensor).numpy()
