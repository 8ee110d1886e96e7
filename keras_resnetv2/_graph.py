"""Walks a functional model's graph from its outputs to its inputs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A network that is a layer of another one.

    Attributes:
        network: the inner network.
        given: the tensors of the outer network that it is called with.
        outer: the place of the outer network; None for the model.
    """

    network: Any
    given: tuple
    outer: "Place | None"


class Step(NamedTuple):
    """A step of a walk.

    Attributes:
        tensor: the tensor that led to the node.
        node: the node of Keras that makes it.
        within: the place of the node's network; None for the model.
    """

    tensor: Any
    node: Any
    within: Place | None

    @property
    def operation(self) -> Any:
        """The layer, or the operation of `keras.ops`."""
        return self.node.operation


def upstream(
    tensors: Sequence[Any],
    within: Place | None = None,
    stops_at: Callable[[Any], bool] = lambda operation: False,
) -> Iterator[Step]:
    """Walks to all nodes that tensors come from, each once, nearest first.

    It also walks networks that are layers of another one. Keras's own
    `get_source_inputs` walks every path, which takes forever on a ResNet.

    Args:
        tensors: Keras tensors, of the model or of a network in it.
        within: the place of that network; None for the model.
        stops_at: returns whether to stop at nodes of an operation.
    """
    waiting = [(tensor, within) for tensor in tensors]
    seen = set()
    while waiting:
        tensor, within = waiting.pop()
        operation, node_index, index = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        if outputs := getattr(operation, "outputs", None):
            place = Place(operation, tuple(node.input_tensors), within)
            waiting.append((outputs[index], place))
            continue
        if (node, within) in seen:
            continue
        seen.add((node, within))
        yield Step(tensor, node, within)
        if stops_at(operation):
            continue
        waiting += [(tensor, within) for tensor in node.input_tensors]
        if within and tensor in within.network.inputs:
            position = within.network.inputs.index(tensor)
            waiting.append((within.given[position], within.outer))
