"""Concatenation as a sum."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import Add, Concat, Conv2d, Graph, Linear, Shape, Weighted
from snnc.compiler.passes.conditions import without
from snnc.compiler.passes.manager import Pass, PassResult


class LowerConcatenation(Pass):
    """Writes every concatenation as the sum of its inputs, each put at its channels among zeros.

    The maps that do so fold into the linear operations around them, so that nothing of a concatenation is left but a
    synapse from each input.
    """

    title = "writing concatenations as sums"
    ensures = (without(Concat),)

    def run(self, graph: Graph) -> PassResult:
        """Replaces the nodes."""
        graph = graph.copy()
        nodes = graph.of_kind(Concat)
        for node in nodes:
            first = 0
            placed = []
            for source in node.inputs:
                shape = graph[source].shape
                name = graph.free_name(f"{node.name}:{source}")
                graph.add(name, _placed(shape, first, node.shape), (source,), modules=node.modules)
                placed.append(name)
                first += shape[0]
            graph.replace(node.name, Add(), tuple(placed))
        return PassResult(graph, bool(nodes), {"concatenations": len(nodes)})


def _placed(shape: Shape, first: int, joined: Shape) -> Weighted:
    """The map that puts a value's channels at ``first`` and so on among those of the joined value."""
    channels = np.arange(shape[0])
    weight = np.zeros((joined[0], shape[0]))
    weight[first + channels, channels] = 1
    if len(shape) == 1:
        return Linear(weight, np.zeros(joined[0]))
    return Conv2d(weight[:, :, None, None], np.zeros(joined[0]))
