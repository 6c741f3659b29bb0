"""Relays on connections that are too long for a synapse's delay."""

from __future__ import annotations

import math

from snnc.compiler.ir import Graph, Input, Node, Output, Relay
from snnc.compiler.passes.conditions import spiking
from snnc.compiler.passes.manager import Pass, PassResult


class AlignPaths(Pass):
    """Makes sure that every connection can be delayed until the longest path to its layer has arrived.

    A layer of depth d (the longest path from the input) receives from one of depth s after a delay of d - s - 1 steps.
    Where the chip's synapses cannot wait so long, the spikes go through relays: memoryless populations that repeat
    them, each as deep as the delay before it allows.

    Args:
        maximum_delay: Longest delay of a synapse, in steps.
    """

    title = "aligning paths"
    requires = (spiking,)
    ensures = (spiking,)

    def __init__(self, maximum_delay: int) -> None:
        self._maximum = maximum_delay

    def run(self, graph: Graph) -> PassResult:
        """Adds the relays."""
        graph = graph.copy()
        relays: dict[tuple[str, int], str] = {}
        depths = depths_of(graph)
        for node in list(graph):
            if isinstance(node.op, Output):
                continue
            inputs = tuple(self._reached(graph, depths, relays, source, node) for source in node.inputs)
            if inputs != node.inputs:
                graph.replace(node.name, node.op, inputs)
        neurons = sum(math.prod(graph[name].shape) for name in relays.values())
        return PassResult(graph, bool(relays), {"relays": len(relays), "relay_neurons": neurons})

    def _reached(
        self, graph: Graph, depths: dict[str, int], relays: dict[tuple[str, int], str], source: str, node: Node
    ) -> str:
        """What a node has to read in place of a source."""
        origin = source
        while depths[node.name] - depths[source] - 1 > self._maximum:
            key = (origin, depths[source])
            if key not in relays:
                name = graph.free_name(f"{origin}:relay")
                graph.add(name, Relay(self._maximum), (source,), modules=graph[origin].modules)
                relays[key] = name
                depths[name] = depths[source] + self._maximum + 1
            source = relays[key]
        return source


def depths_of(graph: Graph) -> dict[str, int]:
    """The longest path from the input to each node, in steps; -1 for the input itself."""
    depths: dict[str, int] = {}
    for node in graph:
        held = node.op.hold if isinstance(node.op, Relay) else 0
        reached = (depths[source] + 1 + held for source in node.inputs)
        depths[node.name] = -1 if isinstance(node.op, Input) else max(reached)
    return depths
