"""Relays on connections that are too long for a synapse's delay."""

from __future__ import annotations

import math
from dataclasses import replace

from snnc.compiler.ir import Graph, Input, Node, Output, Readout, Relay, SpikingLayer
from snnc.compiler.ir.ops import Operation
from snnc.compiler.passes.conditions import spiking
from snnc.compiler.passes.manager import Pass, PassResult


class AlignPaths(Pass):
    """Makes sure that every connection can be delayed until the longest path to its layer has arrived.

    A layer of depth d (the longest path from the input) receives from one of depth s after a delay of d - s - 1 steps,
    less the steps by which that one leads. Where the chip's synapses cannot wait so long, the spikes go through relays:
    memoryless populations that repeat them, each as deep as the delay before it allows.

    What makes a path long depends on the lead: of two paths as deep without, that with fewer memoryless layers is then
    the longer one. The synapse that reads its end comes first.

    Args:
        maximum_delay: Longest delay of a synapse, in steps.
        lead: Steps that a spiking layer integrates before it may fire.
    """

    title = "aligning paths of different length"
    requires = (spiking,)
    ensures = (spiking,)

    def __init__(self, maximum_delay: int, lead: int = 0) -> None:
        self._maximum = maximum_delay
        self._lead = lead

    def run(self, graph: Graph) -> PassResult:
        """Adds the relays."""
        graph = graph.copy()
        relays: dict[tuple[str, int], str] = {}
        depths = depths_of(graph, self._lead)
        for node in list(graph):
            if isinstance(node.op, Output):
                continue
            op, sources = self._deepest_first(graph, depths, node)
            inputs = tuple(self._reached(graph, depths, relays, source, node) for source in sources)
            if inputs != node.inputs:
                graph.replace(node.name, op, inputs)
        neurons = sum(math.prod(graph[name].shape) for name in relays.values())
        return PassResult(graph, bool(relays), {"relays": len(relays), "relay_neurons": neurons})

    def _deepest_first(self, graph: Graph, depths: dict[str, int], node: Node) -> tuple[Operation, tuple[str, ...]]:
        """A layer with its synapses in the order of their sources, and these."""
        if not isinstance(node.op, SpikingLayer | Readout):
            return node.op, node.inputs
        sent = [depths[source] + lead_of(graph[source], self._lead) for source in node.inputs]
        order = sorted(range(len(sent)), key=lambda each: -sent[each])
        synapses = tuple(node.op.synapses[each] for each in order)
        return replace(node.op, synapses=synapses), tuple(node.inputs[each] for each in order)

    def _reached(
        self, graph: Graph, depths: dict[str, int], relays: dict[tuple[str, int], str], source: str, node: Node
    ) -> str:
        """What a node has to read in place of a source."""
        origin = source
        while depths[node.name] - (sent := depths[source] + lead_of(graph[source], self._lead)) - 1 > self._maximum:
            key = (origin, sent)
            if key not in relays:
                name = graph.free_name(f"{origin}:relay")
                graph.add(name, Relay(self._maximum), (source,), modules=graph[origin].modules)
                relays[key] = name
                depths[name] = sent + self._maximum + 1
            source = relays[key]
        return source


def lead_of(node: Node, lead: int) -> int:
    """Steps between the input of a node and its spikes, where spiking layers have a lead; memoryless ones have none."""
    return lead if isinstance(node.op, SpikingLayer) else 0


def depths_of(graph: Graph, lead: int = 0) -> dict[str, int]:
    """The longest path from the input to each node, in steps; -1 for the input itself.

    Args:
        graph: Populations.
        lead: Steps that a spiking layer integrates before it may fire.
    """
    depths: dict[str, int] = {}
    for node in graph:
        held = node.op.hold if isinstance(node.op, Relay) else 0
        reached = (depths[source] + lead_of(graph[source], lead) + 1 + held for source in node.inputs)
        depths[node.name] = -1 if isinstance(node.op, Input) else max(reached)
    return depths
