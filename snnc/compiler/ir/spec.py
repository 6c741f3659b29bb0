"""What a valid graph is at each stage of the compiler, written so that it can be checked.

The stages follow each other: a model is traced; lowering makes populations of spiking neurons of its operations;
profiling adds what the calibration data make of each; conversion gives each its thresholds; quantisation writes each in
the chip's integers. A stage is a condition that passes require and ensure; the pass manager checks it between passes.
Checks look at nodes and at arrays of one number for each channel, never at weights, so that they cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from snnc.compiler.ir.graph import Graph, Node
from snnc.compiler.ir.ops import (
    Add,
    Affine,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    Identity,
    Input,
    Linear,
    Output,
    ReLU,
    Softmax,
)
from snnc.compiler.ir.passes import Condition, only
from snnc.compiler.ir.pooling import AvgPool2d, MaxPool2d, Relay, SpikeMax2d
from snnc.compiler.ir.sparse import ConvTranspose2d, Sparse
from snnc.compiler.ir.spiking import QuantizedLayer, Readout, SpikingLayer


@dataclass(frozen=True)
class Stage:
    """A stage of the compiler, as a condition on its graph.

    Attributes:
        name: What a graph of this stage is called.
        rules: What holds of it; they are checked in order.
    """

    name: str
    rules: tuple[Condition, ...]

    def __call__(self, graph: Graph) -> str | None:
        """Return the first rule that is broken, and where; None where the graph is valid."""
        for rule in self.rules:
            problem = rule(graph)
            if problem:
                return f"in a {self.name} graph {problem}"
        return None


def has_two_ends(graph: Graph) -> str | None:
    """Check that there is one input, which reads nothing, and one output, which nothing reads."""
    for kind in (Input, Output):
        found = graph.of_kind(kind)
        if len(found) != 1:
            return f"there is one {kind.__name__}, found {len(found)}"
    if graph.input.inputs:
        return f"the input reads nothing, found {graph.input.inputs[0]}"
    readers = graph.consumers(graph.output.name)
    return f"nothing reads the output, found {readers[0].where}" if readers else None


def reads_something(graph: Graph) -> str | None:
    """Check that every node but the input reads another, and joins alone read several."""
    for node in graph:
        several = isinstance(node.op, Add | Concat)
        if not isinstance(node.op, Input) and not (node.inputs if several else len(node.inputs) == 1):
            return f"{node.op.kind} reads {'others' if several else 'one node'}, found {node.where} with {node.inputs}"
    return None


def has_a_synapse_for_each_input(graph: Graph) -> str | None:
    """Check that a layer has as many synapses as sources, and that memoryless populations and the output read one."""
    for node in graph:
        match node.op:
            case SpikingLayer() | Readout():
                wanted = len(node.op.synapses)
            case SpikeMax2d() | Relay() | Output():
                wanted = 1
            case _:
                wanted = 0
        if len(node.inputs) != wanted:
            return f"{node.where} reads {wanted} sources, found {len(node.inputs)}"
    return None


def ends_in_a_readout(graph: Graph) -> str | None:
    """Check that there is one readout, that the output reads it, and that nothing else does."""
    readouts = graph.of_kind(Readout)
    if len(readouts) != 1:
        return f"there is one readout, found {len(readouts)}"
    if graph.output.inputs != (readouts[0].name,):
        return f"the output reads the readout, found {graph.output.inputs}"
    readers = graph.consumers(readouts[0].name)
    return f"only the output reads the readout, found {readers[0].where}" if len(readers) > 1 else None


def spikes(graph: Graph) -> str | None:
    """Check that at least one layer spikes."""
    return None if graph.of_kind(SpikingLayer) else "a layer spikes, found none"


def is_profiled(graph: Graph) -> str | None:
    """Check that every layer knows what the calibration data made of each of its channels."""
    for node in graph:
        if not isinstance(node.op, SpikingLayer | Readout):
            continue
        profile = node.op.profile
        if profile is None:
            return f"every layer is profiled, not {node.where}"
        if (
            profile.drive_minimum.shape != (node.shape[0],)
            or not (profile.drive_minimum <= profile.drive_maximum).all()
        ):
            return f"drives have a range for each channel, not in {node.where}"
        if isinstance(node.op, SpikingLayer) and profile.activations is None:
            return f"activations were counted, not in {node.where}"
    return None


def has_thresholds(graph: Graph) -> str | None:
    """Check that every spiking layer has, for each channel, Vth > 0 and 0 <= v0 <= Vth."""
    for node in graph:
        if isinstance(node.op, SpikingLayer):
            threshold, potential = node.op.threshold, node.op.initial_potential
            if threshold is None or potential is None:
                return f"every layer has a threshold, not {node.where}"
            if threshold.shape != (node.shape[0],) or potential.shape != threshold.shape:
                return f"there is a threshold for each channel, not in {node.where}"
            if not ((threshold > 0) & (potential >= 0) & (potential <= threshold)).all():
                return f"0 <= v0 <= Vth and Vth > 0, not so in {node.where}"
    return None


def is_in_order(graph: Graph) -> str | None:
    """Check that the integers' synapses read the layers that the graph's edges lead from, and have the node's shape."""
    places = {graph.input.name: -1}
    for node in graph.of_kind(QuantizedLayer):
        problem = _disorder(node, places)
        if problem:
            return problem
        places[node.name] = len(places) - 1
    return None


def _disorder(node: Node, places: dict[str, int]) -> str | None:
    assert isinstance(node.op, QuantizedLayer)
    layer = node.op.layer
    if layer.shape != node.shape:
        return f"integers have their layer's shape {node.shape}, found {layer.shape} in {node.where}"
    sources = [places[source] for source in node.inputs]
    found = [synapse.source for synapse in layer.synapses]
    return None if sources == found else f"synapses read the layers {sources}, found {found} in {node.where}"


# What the fronts make of a model: operations as the ANN has them.
TRACED = Stage(
    "traced",
    (
        only(
            Input, Output, Identity, ReLU, Softmax, Affine, BatchNorm, Flatten, Conv2d, ConvTranspose2d, Linear, Sparse,
            Add, Concat, AvgPool2d, MaxPool2d,
        ),
        has_two_ends,
        reads_something,
    ),
)  # fmt: skip
# Populations of neurons with the linear operations that lead to each; thresholds come later.
LOWERED = Stage(
    "lowered",
    (
        only(Input, SpikingLayer, SpikeMax2d, Relay, Readout, Output),
        has_two_ends,
        has_a_synapse_for_each_input,
        ends_in_a_readout,
        spikes,
    ),
)
# With what the calibration data make of each layer.
PROFILED = Stage("profiled", (*LOWERED.rules, is_profiled))
# With thresholds and initial potentials.
CONVERTED = Stage("converted", (*PROFILED.rules, has_thresholds))
# In the chip's integers.
QUANTIZED = Stage("quantized", (only(Input, QuantizedLayer, Output), has_two_ends, is_in_order))
STAGES = (TRACED, LOWERED, PROFILED, CONVERTED, QUANTIZED)
