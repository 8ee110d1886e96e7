"""Walks a functional model's graph from its outputs to its inputs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def upstream(
    tensors: Sequence[Any],
    within: tuple | None = None,
    stops_at: Callable[[Any], bool] = lambda operation: False,
) -> Iterator[tuple[Any, tuple | None]]:
    """Yields the nodes that tensors come from, each once, nearest first.

    It also walks networks that are layers of another one. Keras's own
    `get_source_inputs` walks every path, which takes forever on a ResNet.

    Args:
        tensors: Keras tensors, of the model or of a network in it.
        within: the place of that network, as yielded; None for the model.
        stops_at: returns whether to stop at nodes of an operation.

    Yields:
        A node of Keras, and the place of its network.
    """
    waiting = [(tensor, within) for tensor in tensors]
    seen = set()
    while waiting:
        tensor, within = waiting.pop()
        operation, node_index, index = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        if outputs := getattr(operation, "outputs", None):
            taken, given = map(tuple, (operation.inputs, node.input_tensors))
            waiting.append((outputs[index], (within, taken, given)))
            continue
        if (node, within) in seen:
            continue
        seen.add((node, within))
        yield node, within
        if stops_at(operation):
            continue
        waiting += [(tensor, within) for tensor in node.input_tensors]
        if within and tensor in within[1]:
            outer, taken, given = within
            waiting.append((given[taken.index(tensor)], outer))
