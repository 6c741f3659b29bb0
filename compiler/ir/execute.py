"""Running a graph on a batch, as the ANN computes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch

from snnc.compiler.ir.graph import Graph, Node
from snnc.compiler.ir.ops import Input

Apply = Callable[[Node, tuple[torch.Tensor, ...]], torch.Tensor]


def apply_node(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """What a node's operation makes of its inputs."""
    return node.op.apply(*inputs)


def execute(
    graph: Graph, batch: torch.Tensor, *, keep: Collection[str] = (), apply: Apply = apply_node
) -> Mapping[str, torch.Tensor]:
    """Computes a graph's output.

    Args:
        graph: Any graph; spiking layers compute the ANN's activation.
        batch: (batch, *input shape); its precision and device are those of the computation.
        keep: Names of further nodes whose values are wanted.
        apply: How a node's value comes from its inputs, for those who want to see more of it than the value.

    Returns:
        The values of the nodes in ``keep`` and of the output node, by name, each (batch, *node shape).
    """
    wanted = {*keep, graph.output.name}
    nodes = list(graph)
    last_use = {source: index for index, node in enumerate(nodes) for source in node.inputs}
    values: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for index, node in enumerate(nodes):
            arguments = (batch,) if isinstance(node.op, Input) else tuple(values[name] for name in node.inputs)
            values[node.name] = apply(node, arguments)
            for source in set(node.inputs):
                # A value that nobody reads any more is freed: large networks do not fit otherwise.
                if last_use[source] == index and source not in wanted:
                    del values[source]
    return {name: values[name] for name in wanted}


def channels_last(values: torch.Tensor) -> torch.Tensor:
    """The same values, images pixel by pixel: narrow convolutions on a CPU are then two to three times as fast."""
    return values.contiguous(memory_format=torch.channels_last) if values.ndim == 4 else values
