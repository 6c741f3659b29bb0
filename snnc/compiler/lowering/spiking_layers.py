"""The exact passes, and the last of them: spiking layers of sums of linear operations; relays on too long paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from snnc.common.errors import UnsupportedError
from snnc.compiler.ir import (
    Add,
    Conv2d,
    Graph,
    Input,
    Linear,
    Node,
    Output,
    Readout,
    Relay,
    ReLU,
    Sparse,
    SpikeMax2d,
    SpikingLayer,
    Weighted,
)
from snnc.compiler.ir.ops import Operation
from snnc.compiler.ir.passes import Counts, Pass, PassResult
from snnc.compiler.ir.spec import LOWERED
from snnc.compiler.lowering.fold import FoldAffine, FoldBatchNorm, NormalizeInput
from snnc.compiler.lowering.max_pooling import LowerMaxPooling, MaxPooling
from snnc.compiler.lowering.merge_linear import MergeLinear, identity
from snnc.compiler.lowering.simplify import DropIdentity, LowerConcatenation, LowerPooling, LowerTransposed
from snnc.program import InputCoding


def lowering(coding: InputCoding, max_pooling: Mapping[str, MaxPooling] = MappingProxyType({})) -> tuple[Pass, ...]:
    """Return the passes up to the forming of spiking layers; the graph then takes input levels.

    Args:
        coding: How data become levels; its map from levels to what the ANN saw is folded into the first layer.
        max_pooling: The way for each maximum pooling, by the name of its node.
    """
    return (
        DropIdentity(),
        LowerMaxPooling(max_pooling),
        LowerPooling(),
        LowerTransposed(),
        LowerConcatenation(),
        FoldBatchNorm(),
        NormalizeInput(coding.scale, coding.shift),
        FoldAffine(),
        MergeLinear(),
        FormSpikingLayers(),
    )


class FormSpikingLayers(Pass):
    """Turns each ReLU with the linear operations before it into one ``SpikingLayer``, the end into a ``Readout``.

    1. A ReLU after a ReLU is dropped, if it changes nothing (one with a smaller bound does).
    2. A ReLU, or the output, that reads something else than linear operations gets an identity: a 1x1 kernel for each
       channel, or the identity matrix.
    3. The operations of a sum become synapses of one layer, from the deepest source to the input; of those that read
       equally deep ones, convolutions and linear layers come first, which netx can load, and large ones before small.
    4. The layer takes the name of the node whose value its rate stands for: the ReLU's, or that of the pooling which
       spikes by itself; the readout that of the last linear operation.
    """

    title = "forming spiking layers"
    ensures = (LOWERED,)

    def run(self, graph: Graph) -> PassResult:
        """Build the new graph in the order of the old one."""
        new = Graph()
        names: dict[str, str] = {}
        depths: dict[str, int] = {}
        for node in graph:
            match node.op:
                case Input():
                    new.add(node.name, node.op, modules=node.modules)
                    names[node.name] = node.name
                case SpikeMax2d() | Relay():
                    new.add(node.name, node.op, (names[node.inputs[0]],), modules=node.modules)
                    names[node.name] = node.name
                case ReLU():
                    source = graph[node.inputs[0]]
                    if isinstance(source.op, ReLU) and node.op.keeps(source.op):
                        names[node.name] = names[source.name]
                        continue
                    operations = _operations(graph, source, names, depths)
                    name = node.op.stands_for or node.name
                    activation = replace(node.op, stands_for=None)
                    layer = SpikingLayer(_synapses(operations), activation=activation)
                    new.add(name, layer, _reads(operations, names), modules=_modules(*operations, source, node))
                    names[node.name] = name
                case Output():
                    operations = _operations(graph, graph[node.inputs[0]], names, depths)
                    first = operations[0]
                    name = first.name if first.modules else f"{first.inputs[0]}:readout"
                    reads = _reads(operations, names)
                    new.add(name, Readout(_synapses(operations)), reads, modules=_modules(*operations))
                    new.add(node.name, node.op, (name,), modules=node.modules)
            if node.name in names:
                current = new[names[node.name]]
                depths[current.name] = 1 + max((depths[each] for each in current.inputs), default=-2)
        if not new.of_kind(SpikingLayer):
            raise UnsupportedError(
                "the network has no ReLU, so nothing would spike",
                expected="at least one ReLU",
                advice="snnc converts rectified networks",
            )
        return PassResult(new, True, Counts({"layers": len(new.of_kind(SpikingLayer))}))


def _operations(graph: Graph, source: Node, names: Mapping[str, str], depths: Mapping[str, int]) -> list[Node]:
    """Return the linear operations that make up a node, reading populations or the input, in rule 3's order."""
    if isinstance(source.op, Conv2d | Linear | Sparse):
        return [source]
    if not isinstance(source.op, Add):
        return [Node(source.name, identity(source.shape), (source.name,), (), source.shape)]
    operations = [graph[each] for each in source.inputs]
    return sorted(operations, key=lambda each: _rank(each, depths[names[each.inputs[0]]]))


def _reads(operations: Sequence[Node], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names[each.inputs[0]] for each in operations)


def _synapses(operations: Sequence[Node]) -> tuple[Weighted, ...]:
    synapses = []
    for each in operations:
        assert isinstance(each.op, Conv2d | Linear | Sparse)
        synapses.append(each.op)
    return tuple(synapses)


def _rank(operation: Node, depth: int) -> tuple[int, bool, int]:
    """Sort synapses: the deepest source first, then what netx can load, then the largest."""
    op = operation.op
    size = op.matrix.nnz if isinstance(op, Sparse) else op.weight.size if isinstance(op, Conv2d | Linear) else 0
    return -depth, isinstance(op, Sparse), -int(size)


def _modules(*nodes: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(module for node in nodes for module in _own(node)))


def _own(node: Node) -> tuple[str, ...]:
    """Return the modules of a node that is folded into a layer; what fires by itself keeps its own."""
    return () if isinstance(node.op, Input | SpikeMax2d | Relay) else node.modules


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
    requires = (LOWERED,)
    ensures = (LOWERED,)

    def __init__(self, maximum_delay: int, lead: int = 0) -> None:
        self._maximum = maximum_delay
        self._lead = lead

    def run(self, graph: Graph) -> PassResult:
        """Add the relays."""
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
        return PassResult(graph, bool(relays), Counts({"relays": len(relays), "relay_neurons": neurons}))

    def _deepest_first(self, graph: Graph, depths: dict[str, int], node: Node) -> tuple[Operation, tuple[str, ...]]:
        """Return a layer with its synapses in the order of their sources, and these."""
        if not isinstance(node.op, SpikingLayer | Readout):
            return node.op, node.inputs
        sent = [depths[source] + lead_of(graph[source], self._lead) for source in node.inputs]
        order = sorted(range(len(sent)), key=lambda each: -sent[each])
        synapses = tuple(node.op.synapses[each] for each in order)
        return replace(node.op, synapses=synapses), tuple(node.inputs[each] for each in order)

    def _reached(
        self, graph: Graph, depths: dict[str, int], relays: dict[tuple[str, int], str], source: str, node: Node
    ) -> str:
        """Return what a node has to read in place of a source."""
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
    """Return the steps from a node's input to its spikes, for layers with a lead; memoryless ones have none."""
    return lead if isinstance(node.op, SpikingLayer) else 0


def depths_of(graph: Graph, lead: int = 0) -> dict[str, int]:
    """Return the longest path from the input to each node, in steps; -1 for the input itself.

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
