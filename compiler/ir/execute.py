"""Running a graph on a batch, as the ANN computes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from snnc.compiler.ir.graph import Graph
from snnc.compiler.ir.ops import Input


def execute(graph: Graph, batch: torch.Tensor, *, keep: Collection[str] = ()) -> Mapping[str, torch.Tensor]:
    """Computes a graph's output.

    Args:
        graph: Any graph; spiking layers compute the ANN's activation.
        batch: (batch, *input shape); its precision and device are those of the computation.
        keep: Names of further nodes whose values are wanted.

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
            values[node.name] = node.op.apply(*arguments)
            for source in set(node.inputs):
                # A value that nobody reads any more is freed: large networks do not fit otherwise.
                if last_use[source] == index and source not in wanted:
                    del values[source]
    return {name: values[name] for name in wanted}
