"""What config.json says of a shared network: enough to build it again.

It is plain JSON. Nothing in it is deserialized by Keras, so it cannot name
code to run.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_resnetv2._checks import check_choice, check_count
from keras_resnetv2._graph import upstream
from keras_resnetv2._origin import Origin, origin_of
from keras_resnetv2._version import __version__
from keras_resnetv2.models import layer_names
from keras_resnetv2.models.builder import ResNetV2
from keras_resnetv2.models.configs import ResNetConfig
from keras_resnetv2.models.network import set_origin
from keras_resnetv2.models.network_configs import config_of, first_bn

_FORMAT = "keras_resnetv2 network"
_FORMAT_VERSION = 1

# The values of config.json that are not of `Description`.
_ABOUT_THE_FILE = {
    "format": str,
    "format_version": int,
    "keras_resnetv2": str,
    "sha256": str,
}
_TYPES = {
    **_ABOUT_THE_FILE,
    "name": str,
    "network": dict,
    "input_shape": list,
    "include_top": bool,
    "features": bool,
    "pooling": str | None,
    "classifier_activation": str | None,
    "include_preprocessing": bool,
    "dtype": str,
    "origin": dict,
}
_ORIGIN_TYPES = {
    "weights": str | None,
    "standardization": dict | None,
    "class_names": list | None,
    "resize": int | None,
}
_NETWORK_FIELDS = [field.name for field in dataclasses.fields(ResNetConfig)]

# Only these names are looked up, whatever a file says.
_ACTIVATIONS = {
    name: getattr(keras.activations, name)
    for name in ("linear", "log_softmax", "sigmoid", "softmax")
}
_DTYPES = (
    "float32",
    "mixed_bfloat16",
    "mixed_float16",
    "float64",
    "bfloat16",
    "float16",
)

# Settings of a layer that do not change what it computes in inference.
_FOR_TRAINING = (
    "trainable",
    "seed",
    "rate",  # of dropout
    "noise_shape",
    "network_config",
    "network_origin",
)
_FOR_TRAINING_ENDS = ("_initializer", "_regularizer", "_constraint")

_INPUT, _OUTPUTS = "the input", "the outputs"


@dataclasses.dataclass(frozen=True)
class Description:
    """A network without its weights.

    Attributes:
        name: the model's name.
        network: its config.
        input_shape: (H, W, C); H and W may be None.
        include_top: see `ResNetV2`; so the next three.
        features: whether it returns the features of every resolution.
        pooling: output without the top.
        classifier_activation: a name of Keras; None without a classifier.
        include_preprocessing: whether it standardizes pixels itself.
        dtype: name of Keras's dtype policy.
        origin: what it was trained on.

    Raises:
        ValueError: if a value is unknown, or does not fit another one.
    """

    name: str
    network: ResNetConfig
    input_shape: tuple[int | None, ...]
    include_top: bool
    features: bool
    pooling: str | None
    classifier_activation: str | None
    include_preprocessing: bool
    dtype: str
    origin: Origin

    def __post_init__(self):
        check_choice("dtype", self.dtype, _DTYPES)
        if self.include_top:
            check_choice(
                "classifier_activation",
                self.classifier_activation,
                _ACTIVATIONS,
            )
        own = self.origin.standardization
        if self.include_preprocessing and own is None:
            raise ValueError(
                "include_preprocessing needs the origin's standardization; "
                "received None."
            )
        names = self.origin.class_names
        if names and self.include_top and len(names) != self.network.classes:
            raise ValueError(
                f"Expected {self.network.classes} class names; received "
                f"{len(names)}."
            )

    @classmethod
    def of(cls, model: keras.Model) -> "Description":
        """Describes a network.

        Args:
            model: a network of this package.

        Raises:
            ValueError: if it is something else, or the builder cannot make it.
        """
        config = config_of(model)
        if len(getattr(model, "inputs", None) or ()) != 1:
            raise _refusal(model, "it does not have exactly one input")
        layers = {layer.name: layer for layer in model.layers}
        top = layers.get(layer_names.CLASSIFIER)
        pooled = [p for p in ("avg", "max") if f"{p}_pool" in layers]
        try:
            return cls(
                name=model.name,
                network=config,
                input_shape=tuple(model.inputs[0].shape[1:]),
                include_top=top is not None,
                features=isinstance(model.output, dict),
                pooling=pooled[0] if pooled and top is None else None,
                classifier_activation=top and _activation_of(top),
                include_preprocessing=layer_names.PREPROCESSING in layers,
                dtype=first_bn(model).dtype_policy.name,
                origin=origin_of(model),
            )
        except (KeyError, ValueError) as error:
            raise _refusal(model, str(error)) from error

    def build(self) -> keras.Model:
        """Builds the network, with random weights.

        Raises:
            ValueError: if a value does not fit.
        """
        with dtype_policy(self.dtype):
            model = ResNetV2(
                self.network,
                include_top=self.include_top,
                input_shape=self.input_shape,
                pooling=self.pooling,
                classifier_activation=self.classifier_activation,
                name=self.name,
                include_preprocessing=(
                    self.include_preprocessing and self.origin.standardization
                ),
                features=self.features,
            )
        set_origin(model, self.origin)
        return model

    def at_size(self, image_size: int) -> "Description":
        """Describes the same network for images of another size.

        Args:
            image_size: side of the input in pixels.

        Raises:
            ValueError: if this is no size, or the mean of the images is one
                per pixel.
        """
        check_count("image_size", image_size)
        height, _, channels = self.input_shape
        shape = (image_size, image_size, channels)
        origin = self.origin
        if origin.standardization:
            origin.standardization.check_shape(shape)
        resize = None
        if origin.resize and height:
            resize = round(origin.resize * image_size / height)
        return dataclasses.replace(
            self,
            input_shape=shape,
            origin=dataclasses.replace(origin, resize=resize),
        )

    def copy(self, model: keras.Model) -> keras.Model:
        """Builds the network again, with the weights of the described one.

        Args:
            model: the described network.

        Returns:
            A network that answers the same.

        Raises:
            ValueError: if the builder does not make this network; names a
                layer that differs.
        """
        copy = self.build()
        _check_same(model, copy)
        for layer in copy.layers:
            if layer.weights:
                layer.set_weights(model.get_layer(layer.name).get_weights())
        return copy

    def to_text(self, sha256: str) -> str:
        """Returns the content of config.json.

        Args:
            sha256: hash of the weights' file, in hexadecimal.
        """
        values = {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "keras_resnetv2": __version__,
            "sha256": sha256,
            **vars(self),
            "network": json.loads(self.network.to_text()),
            "origin": json.loads(self.origin.to_text()),
        }
        # A line a field: a mean per pixel has thousands of numbers.
        lines = (f'  "{key}": {json.dumps(values[key])}' for key in values)
        return "{\n" + ",\n".join(lines) + "\n}\n"


def is_description(text: str | bytes) -> bool:
    """Returns whether a text is a config.json, of any format version."""
    try:
        values = json.loads(text)
    except ValueError:
        return False
    return isinstance(values, dict) and values.get("format") == _FORMAT


def read_description(text: str | bytes, source: str) -> tuple[Description, str]:
    """Reads the output of `Description.to_text`.

    Args:
        text: the content of config.json.
        source: name of the file, for messages.

    Returns:
        The description, and the SHA-256 of the weights.

    Raises:
        ValueError: if it is something else, is damaged, or was written by a
            newer version; says what to do.
    """
    if not is_description(text):
        raise ValueError(
            f"{source} does not describe a network of keras_resnetv2: expected "
            f'a JSON object with "format": "{_FORMAT}"; received '
            f"{text[:60]!r}. Give a folder that save_pretrained wrote, whole."
        )
    values = json.loads(text)
    _check_version(values, source)
    try:
        _check_types(values, _TYPES)
        _check_types(values["origin"], _ORIGIN_TYPES)
        names = values["origin"]["class_names"] or ()
        if not all(isinstance(name, str) for name in names):
            raise TypeError("class_names must be text")
        fields = {
            **values,
            "input_shape": tuple(values["input_shape"]),
            "network": ResNetConfig(**values["network"]),
            "origin": Origin.from_text(json.dumps(values["origin"])),
        }
        described = {
            name: value
            for name, value in fields.items()
            if name not in _ABOUT_THE_FILE
        }
        return Description(**described), values["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{source} is damaged ({type(error).__name__}: {error}). Get the "
            "folder again from its source."
        ) from error


def _check_version(values, source):
    """Checks that this version knows all that the file says."""
    version = values.get("format_version")
    unknown = [name for name in values if name not in _TYPES]
    for part, known in (
        ("network", _NETWORK_FIELDS),
        ("origin", _ORIGIN_TYPES),
    ):
        if isinstance(values.get(part), dict):
            unknown += [name for name in values[part] if name not in known]
    if version == _FORMAT_VERSION and not unknown:
        return
    raise ValueError(
        f"{source} was written by keras_resnetv2 "
        f"{values.get('keras_resnetv2', 'of an unknown version')}, in format "
        f"{version!r} with the fields {', '.join(unknown) or 'of format 1'}, "
        f"which version {__version__} does not know. Install a newer version."
    )


def _check_types(values, types):
    for name, kind in types.items():
        if not isinstance(values[name], kind):
            raise TypeError(f"{name}={values[name]!r} is not {kind}")


def _activation_of(layer):
    """Returns the name of a layer's activation, or its text if it has none."""
    own = getattr(layer, "activation", None)
    names = (name for name, known in _ACTIVATIONS.items() if known is own)
    return next(names, repr(own))


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Context that sets a dtype policy for new layers.

    Args:
        name: the policy's name.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _refusal(model, reason):
    return ValueError(
        f"{model.name} cannot be described by its config: {reason}. "
        "save_pretrained takes the networks that the builders of this package "
        'make. To save any other, call model.save("network.keras").'
    )


def _check_same(model, built):
    """Checks that a network is the same as the one that was built."""
    there, here = _operations(model), _operations(built)
    if other := sorted(there.keys() ^ here.keys()):
        has = "it has" if other[0] in there else "it lacks"
        raise _refusal(model, f"{has} {other[0]!r}")
    for name, found in there.items():
        if found != here[name]:
            raise _refusal(model, f"its {name!r} is another one")


def _operations(model):
    """Maps operations' names to their class, settings and inputs.

    The input's name is not part of the network, nor is its batch size.
    """
    found: dict[str, Any] = {_OUTPUTS: _names(model.outputs)}
    for step in upstream(model.outputs):
        operation = step.operation
        if step.node.is_input:
            found[_INPUT] = [tuple(step.tensor.shape[1:])]
            continue
        # A second node would be a layer that is used twice.
        found.setdefault(operation.name, []).append(
            (
                type(operation).__name__,
                step.within,
                _settings(operation),
                _names(step.node.input_tensors),
            )
        )
    return found


def _names(tensors):
    operations = [tensor._keras_history.operation for tensor in tensors]
    return [
        _INPUT if isinstance(one, keras.layers.InputLayer) else one.name
        for one in operations
    ]


def _settings(operation):
    """Returns as text what an operation computes with, beside its weights."""
    settings = {
        name: value
        for name, value in operation.get_config().items()
        if name not in _FOR_TRAINING and not name.endswith(_FOR_TRAINING_ENDS)
    }
    return json.dumps(settings, sort_keys=True, default=_plain)


def _plain(value):
    return np.asarray(value).tolist()
