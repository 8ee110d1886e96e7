"""Finds whether a classifier outputs logits or probabilities."""

from typing import Literal, NamedTuple

import keras

from keras_resnetv2._graph import Place, upstream

# Classes of operations that may follow the classifier. A layer and the function
# of `keras.ops` have the same name.
_SOFTMAX = "Softmax"
_UNCHANGED = ("Cast", "Identity")

_SOFTMAXES = (keras.activations.softmax, keras.ops.softmax)


class End(NamedTuple):
    """The end of a network.

    Attributes:
        layer: the last layer, not counting a softmax after it.
        takes: the layer's first input.
        gives: the layer's output.
        softmax: "own" if it is the layer's activation, "follows" if it comes
            after the layer, None if there is none.
        within: the place of the layer's network, if that is the last layer of
            this one.
    """

    layer: keras.Operation
    takes: keras.KerasTensor
    gives: keras.KerasTensor
    softmax: Literal["own", "follows"] | None
    within: Place | None


def find_end(model: keras.Model) -> End:
    """Finds the layer that makes a network's output.

    A softmax may be the layer's activation, a layer after it, or a call of
    `keras.ops.softmax`. If the last layer is itself a network, its end is
    found.

    Args:
        model: a network.

    Raises:
        ValueError: if it is not functional, has several outputs, or applies
            the softmax twice.
    """
    outputs = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        raise ValueError(
            "A functional keras.Model with one output is needed, like those of "
            "this package's builders; received "
            f"{getattr(model, 'name', model)!r}, a {type(model).__name__} with "
            f"{len(outputs) or 'no'} outputs."
        )
    # Operations that pass have one input, so this walk has no branches.
    *after, last = upstream(outputs, stops_at=lambda op: not _passes(op))
    softmaxes = ["follows" for step in after if _is_softmax(step.operation)]
    if getattr(last.operation, "activation", None) in _SOFTMAXES:
        softmaxes.append("own")
    if len(softmaxes) > 1:
        raise ValueError(
            f"{model.name} applies the softmax twice at its end. Build its "
            "classifier with classifier_activation=None, or omit the softmax "
            "after it."
        )
    return End(
        last.operation,
        takes=(last.node.input_tensors or [last.tensor])[0],
        gives=last.tensor,
        softmax=softmaxes[0] if softmaxes else None,
        within=last.within,
    )


def _passes(operation):
    return _is_softmax(operation) or _changes_nothing(operation)


def _is_softmax(operation):
    if isinstance(operation, keras.layers.Activation):
        return operation.activation in _SOFTMAXES
    is_softmax = type(operation).__name__ == _SOFTMAX
    return is_softmax and operation.axis in (-1, 1)


def _changes_nothing(operation):
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return type(operation).__name__ in _UNCHANGED


def kind_of_answer(
    model: keras.Model,
) -> Literal["logits", "probabilities"] | None:
    """Returns what a network outputs; None if it is neither.

    Args:
        model: a network.

    Raises:
        ValueError: see `find_end`.
    """
    end = find_end(model)
    if len(model.outputs[0].shape) != 2:
        return None
    if end.softmax:
        return "probabilities"
    activation = getattr(end.layer, "activation", None)
    return "logits" if activation is keras.activations.linear else None


def gives_logits(model: keras.Model) -> bool:
    """Returns True if a classifier outputs logits, False for probabilities.

    Args:
        model: a network.

    Raises:
        ValueError: see `find_end`; also if it does not end in a classifier.
    """
    kind = kind_of_answer(model)
    if kind is None:
        raise ValueError(
            f"{model.name} ends in {find_end(model).layer.name!r}, whose "
            "outputs are neither logits nor softmax probabilities. Build it "
            'with include_top=True and classifier_activation=None or "softmax".'
        )
    return kind == "logits"
