"""Checks the arguments that all exports have in common."""

from typing import TYPE_CHECKING, Any

from keras_resnetv2._origin import (
    all_layers,
    network_of,
    origin_of,
    standardization_for,
)
from keras_resnetv2._standardization import Standardization

if TYPE_CHECKING:
    import keras


def check_network(
    model: Any,
    standardization: str | Standardization | None,
    class_names: tuple[str, ...] | None,
) -> "tuple[keras.Model, dict[str, Any]]":
    """Checks that a network can be exported, and finds what it knows.

    Args:
        model: a classifier, or its `Trained`.
        standardization: that of its images; None for its own.
        class_names: one name per class; None for its own, or else numbers.

    Returns:
        The classifier; "standardization" and "class_names", by name.

    Raises:
        ValueError: if it is not a classifier, or an argument does not match it.
    """
    from keras_resnetv2.models.classifier import gives_logits

    model = network_of(model)
    _check_model(model)
    standardization = standardization_for(model, standardization)
    standardization.check_shape(model.input_shape[1:])
    gives_logits(model)
    classes = model.output_shape[-1]
    if class_names is None:
        class_names = origin_of(model).class_names or tuple(
            map(str, range(classes))
        )
    _check_class_names(class_names, classes)
    return model, {
        "standardization": standardization,
        "class_names": tuple(class_names),
    }


def _check_model(model):
    import keras

    functional = isinstance(model, keras.Model) and not isinstance(
        model, keras.Sequential
    )
    ends = [len(getattr(model, end, ())) for end in ("inputs", "outputs")]
    if not functional or ends != [1, 1]:
        raise ValueError(
            "model must be a functional keras.Model with one input and one "
            "output, like those of this package's builders; received a "
            f"{type(model).__name__}"
            + (f" with {ends[0]} and {ends[1]}." if any(ends) else ".")
        )
    for layer in all_layers(model):
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None:
            raise ValueError(
                f"The network {model.name!r} is quantized ({layer.name!r} to "
                f"{mode}), but this export stores weights as float32 or "
                "bfloat16. Export the network without quantize(), or use "
                "Keras's own model.export()."
            )


def _check_class_names(class_names, classes):
    if isinstance(class_names, str):
        raise ValueError(
            "class_names must be a sequence of one name per class; received "
            f"the string {class_names!r}."
        )
    if len(class_names) != classes:
        raise ValueError(
            f"The model has {classes} classes; received {len(class_names)} "
            "class_names. Give one name per class, in the order of the labels."
        )
    for name in class_names:
        # NumPy's strings end at a NUL.
        if not isinstance(name, str) or name.splitlines() != [name.strip("\0")]:
            raise ValueError(
                "class_names are written one per line, so each must be one "
                f"line of text; received {name!r}."
            )
