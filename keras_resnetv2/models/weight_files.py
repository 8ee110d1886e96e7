"""Reads weights by name: from networks, and files of several formats."""

import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import numpy as np

from keras_resnetv2._origin import all_layers
from keras_resnetv2._requirements import check_installed

FORMATS = (
    "a .weights.h5, .h5 or .keras of Keras, a .safetensors, or a .pth, .pt, "
    ".bin or .zip of PyTorch"
)
_IN_KERAS_ARCHIVE = "model.weights.h5"
_IN_ZIP = (".pth", ".pt", ".bin")
# Keras 3 stores a layer's weights by number.
_KERNEL_FIRST = ("kernel", "bias")
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Where training scripts put a network's weights within a checkpoint.
_NESTED = ("state_dict", "model")
_DATA_PARALLEL = "module."
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
        return {
            f"{layer.name}/{variable.name}": np.array(variable)
            for layer in all_layers(source)
            for variable in layer.weights
        }
    if hasattr(source, "state_dict"):
        return _arrays(source.state_dict())
    path = os.fspath(source)
    try:
        return _reader_of(path)(path)
    except ImportError:
        raise
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"weights={path!r} is refused: its pickle holds more than weights, "
            "and loading it could run its code. In a program that you trust, "
            "load it and write its weights alone, as .safetensors. (PyTorch: "
            f"{str(error).splitlines()[0]})"
        ) from error
    # The readers have no common class for a damaged file.
    except Exception as error:
        raise ValueError(
            f"weights={path!r} cannot be read: {error}. Expected {FORMATS}. If "
            "it should be one, it is damaged: get it again."
        ) from error


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
        return dict(_of_keras_2(layers) if is_keras_2 else _of_keras_3(layers))


def _of_keras_2(layers) -> Iterator[tuple[str, np.ndarray]]:
    for layer in map(_text, layers.attrs["layer_names"]):
        group = layers[layer]
        for name in map(_text, group.attrs["weight_names"]):
            weight = name.split("/")[-1].removesuffix(":0")
            yield f"{layer}/{weight}", _values(group, name)


def _values(group, name):
    """Reads a dataset, but not one of another file, which HDF5 can name."""
    link, stored = group.get(name, getlink=True), group[name]
    if not isinstance(link, h5py.HardLink) or stored.external:
        raise ValueError(f"its {name} is in another file")
    return stored[()]


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
            if name.endswith(_IN_ZIP):  # pytorchcv's
                return _torch(io.BytesIO(archive.read(name)))
    return _torch(path)  # which is a zip itself


def _safetensors(path):
    check_installed("A .safetensors file")
    from safetensors.numpy import load_file

    return load_file(path)


def _torch(file):
    check_installed("A file of PyTorch")
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True)
    for key in _NESTED:
        if isinstance(state.get(key), dict):
            state = state[key]
    return _arrays(state)


def _arrays(state):
    """Turns PyTorch's tensors into arrays, in float32 at least."""
    return {
        name.removeprefix(_DATA_PARALLEL): _numbers(value)
        for name, value in state.items()
        if not name.endswith(_COUNTER)
    }


def _numbers(tensor):
    tensor = tensor.detach().cpu()
    half = str(tensor.dtype) in ("torch.bfloat16", "torch.float16")
    return (tensor.float() if half else tensor).numpy()
