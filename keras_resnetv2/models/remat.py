"""Rematerialization: a step keeps fewer activations, and computes them again.

The graph is cut into segments: residual units, or stages. The forward pass
keeps only what a segment receives and returns. The backward pass computes the
segment once more before its gradient.

Reference: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

import functools
import inspect
import itertools
import json
import re

import keras
from keras.src.backend.common.variables import AutocastScope

from keras_resnetv2._checks import check_choice
from keras_resnetv2.models.batch_normalization import BatchNormalization
from keras_resnetv2.models.layers import Dropout, PaddingShortcut

# Option -> the start of a name that the layers of a segment share.
REMATS = {
    "none": None,
    "unit": re.compile(r"stage\d+_unit\d+_"),
    "stage": re.compile(r"stage\d+_"),
}


# The layers of units. Others may have states or losses that a second
# computation would change.
_LAYERS = (
    keras.layers.Add,
    keras.layers.AveragePooling2D,
    keras.layers.Conv2D,
    keras.layers.Multiply,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
    BatchNormalization,
    Dropout,
    PaddingShortcut,
)


def check_remat(remat: str) -> None:
    """Checks a value of the option.

    Raises:
        ValueError: if it is unknown, or other than "none" on PyTorch.
    """
    check_choice("remat", remat, REMATS)
    if remat != "none" and keras.backend.backend() == "torch":
        raise ValueError(
            f"remat={remat!r} works on TensorFlow and JAX; the backend is "
            'PyTorch. Use remat="none".'
        )


def check_segments(model: keras.Model, remat: str) -> None:
    """Checks that a model can be cut into segments.

    Args:
        model: a functional model.
        remat: "unit" or "stage".

    Raises:
        ValueError: if it has no units, or a unit with a layer that
            `residual_unit` does not make.
    """
    start = REMATS[remat]
    layers = [o for o in model.operations if start.match(o.name)]
    if not layers:
        raise ValueError(
            f"remat={remat!r} needs layers of residual units, such as "
            f"stage1_unit1_conv1, and {model.name} has none. If it contains "
            "another network, set remat there."
        )
    for layer in layers:
        if type(layer) not in _LAYERS:
            reason = f"is of class {type(layer).__name__}"
        elif layer.activity_regularizer:
            reason = "has an activity regularizer"
        else:
            continue
        raise ValueError(
            f"remat={remat!r} works only for units as this package builds "
            f'them; {layer.name!r} {reason}. Use remat="none".'
        )


def call_in_segments(model: keras.Model, inputs: list, remat: str) -> list:
    """Computes a functional model's outputs in training.

    Args:
        model: the model. Its states, such as moving statistics, are updated
            once.
        inputs: a tensor for each of `model.inputs`.
        remat: "unit" or "stage".

    Returns:
        A tensor for each of `model.outputs`.
    """
    tensors = {id(x): value for x, value in zip(model.inputs, inputs)}
    makers = {}
    for segment in _segments_of(model, REMATS[remat]):
        if segment.name is None:
            _run(segment.nodes, tensors)
            continue
        # Segments of one kind share a function: it is traced only once.
        maker = makers.setdefault(segment.kind(), segment)
        values = maker.rematerialized(*segment.values(tensors))
        segment.take(values, maker.updated, tensors)
    return [tensors[id(x)] for x in model.outputs]


def _segments_of(model, start_of_name):
    """Returns the model's nodes as segments, in order."""
    nodes = [
        node
        for depth in sorted(model._nodes_by_depth, reverse=True)
        for node in model._nodes_by_depth[depth]
        if not node.is_input
    ]

    def name(node):
        found = start_of_name.match(node.operation.name)
        return found and found[0]

    groups = [
        (key, list(group)) for key, group in itertools.groupby(nodes, name)
    ]
    users = {id(x): {None} for x in model.outputs}
    for i, (_, group) in enumerate(groups):
        for node in group:
            for x in node.input_tensors:
                users.setdefault(id(x), set()).add(i)
    return [
        _Segment(key, group, lambda x, i=i: users.get(id(x), set()) - {i})
        for i, (key, group) in enumerate(groups)
    ]


class _Segment:
    """A part of a graph that computes some tensors from others.

    Attributes:
        name: the start of its layers' names; None outside of units.
        nodes: its nodes, in order.
        updated: places of the variables that a call updates, after the first.
    """

    def __init__(self, name, nodes, used_elsewhere):
        self.name = name
        self.nodes = nodes
        self.updated = []
        made = [x for node in nodes for x in node.outputs]
        within = set(map(id, made))
        used = {id(x): x for node in nodes for x in node.input_tensors}
        self._given = [key for key in used if key not in within]
        self._kept = [id(x) for x in made if used_elsewhere(x)]
        self._layers = list(dict.fromkeys(node.operation for node in nodes))

    @functools.cached_property
    def _variables(self):
        return [v for layer in self._layers for v in layer.variables]

    def kind(self):
        """Returns a key that is the same for segments that compute the same."""
        keys = [*self._given, *(id(x) for n in self.nodes for x in n.outputs)]
        place = {key: i for i, key in enumerate(keys)}
        calls = [
            (
                self._layers.index(node.operation),
                [place[id(x)] for x in node.input_tensors],
            )
            for node in self.nodes
        ]
        layers = [keras.saving.serialize_keras_object(x) for x in self._layers]
        for layer in layers:
            layer["config"]["name"] = None
        kept = [place[key] for key in self._kept]
        shapes = [
            (tuple(v.shape), v.dtype, v.trainable) for v in self._variables
        ]
        return json.dumps([layers, calls, kept, shapes])

    def values(self, tensors):
        """Returns the values that `rematerialized` takes."""
        given = [tensors[key] for key in self._given]
        # Each layer casts for itself, also if its precision is another.
        with AutocastScope(None):
            return [*given, *(_as_float(v.value) for v in self._variables)]

    def take(self, values, updated, tensors):
        """Takes what `rematerialized` returned."""
        tensors |= zip(self._kept, values)
        for i, value in zip(updated, values[len(self._kept) :]):
            self._variables[i].assign(value)

    @functools.cached_property
    def rematerialized(self):
        """A function of the values that returns tensors and new states."""
        return _REMATERIALIZE[keras.backend.backend()](self._stateless)

    def _stateless(self, *values):
        tensors = dict(zip(self._given, values))
        mapping = list(zip(self._variables, values[len(self._given) :]))
        with AutocastScope(None), keras.StatelessScope(mapping) as scope:
            before = dict(scope.state_mapping)
            _run(self.nodes, tensors)
        after = [scope.state_mapping[id(v)] for v in self._variables]
        self.updated = [
            i
            for i, v in enumerate(self._variables)
            if after[i] is not before[id(v)]
        ]
        return [
            *(tensors[key] for key in self._kept),
            *(_as_float(after[i]) for i in self.updated),
        ]


def _run(nodes, tensors):
    """Computes the nodes' tensors in training, and updates their states."""
    for node in nodes:
        args, kwargs = node.arguments.fill_in(tensors)
        if "training" in inspect.signature(node.operation.call).parameters:
            kwargs["training"] = True
        outputs = node.operation(*args, **kwargs)
        tensors |= zip(map(id, node.outputs), keras.tree.flatten(outputs))


def _as_float(value):
    """Returns integers, the states of dropout, as float64, which is exact.

    TensorFlow cannot rematerialize functions of integers. Keras casts them
    back where they are assigned.
    """
    is_integer = "int" in keras.backend.standardize_dtype(value.dtype)
    if is_integer and keras.backend.backend() == "tensorflow":
        return keras.ops.cast(value, "float64")
    return value


def _on_tensorflow(function):
    import tensorflow as tf

    function = tf.recompute_grad(function)
    # Replicas cannot synchronize within a tf.function. Eager steps would trace
    # it each time.
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1 or tf.executing_eagerly():
        return function
    return tf.function(
        function,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def _on_jax(function):
    """Does what `jax.checkpoint` does, also on CPUs.

    There, XLA removes the barriers of `jax.checkpoint`, and then the second
    computation. Here it cannot, as that depends on the gradient.
    """
    import jax

    def forward(*values):
        return function(*values), values

    def backward(values, gradients):
        zero = 0.0 * gradients[0].ravel()[0]
        values = [
            value + zero.astype(value.dtype)
            if jax.numpy.issubdtype(value.dtype, jax.numpy.floating)
            else value
            for value in values
        ]
        return jax.vjp(function, *values)[1](gradients)

    rematerialized = jax.custom_vjp(function)
    rematerialized.defvjp(forward, backward)
    return rematerialized


_REMATERIALIZE = {"tensorflow": _on_tensorflow, "jax": _on_jax}
