"""Conditions that passes require and ensure."""

from __future__ import annotations

from snnc.compiler.ir import Graph, Input, Operation, Output, QuantizedLayer, Readout, Relay, SpikeMax2d, SpikingLayer
from snnc.compiler.passes.manager import Condition


def without(*kinds: type[Operation]) -> Condition:
    """No node of these kinds is left."""

    def condition(graph: Graph) -> str | None:
        nodes = graph.of_kind(*kinds)
        return f"no {nodes[0].op.kind} is left, found {nodes[0].where}" if nodes else None

    return condition


def only(*kinds: type[Operation]) -> Condition:
    """Every node is of one of these kinds."""

    def condition(graph: Graph) -> str | None:
        strangers = [node for node in graph if not isinstance(node.op, kinds)]
        return f"no {strangers[0].op.kind} is left, found {strangers[0].where}" if strangers else None

    return condition


spiking = only(Input, SpikingLayer, SpikeMax2d, Relay, Readout, Output)
quantized = only(Input, QuantizedLayer, Output)


def profiled(graph: Graph) -> str | None:
    """Every layer knows what the calibration data made of it."""
    nodes = [node for node in graph if isinstance(node.op, SpikingLayer | Readout) and node.op.profile is None]
    return f"every layer is profiled, not {nodes[0].where}" if nodes else None


def thresholds_assigned(graph: Graph) -> str | None:
    """Every spiking layer has positive thresholds and potentials between 0 and the threshold."""
    for node in graph:
        if isinstance(node.op, SpikingLayer):
            threshold, potential = node.op.threshold, node.op.initial_potential
            if threshold is None or potential is None:
                return f"every layer has a threshold, not {node.where}"
            if not ((threshold > 0) & (potential >= 0) & (potential <= threshold)).all():
                return f"0 <= v0 <= Vth and Vth > 0, not so in {node.where}"
    return None
