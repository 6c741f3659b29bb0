"""Which way of maximum pooling suits a network: tried on the calibration data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.ir import Graph, MaxPool2d, Node, Output, execute
from snnc.compiler.ir.passes import Pass, PassManager
from snnc.compiler.lowering.exact import lowering
from snnc.compiler.lowering.max_pooling import MaxPooling, can_fire_together, last_node_moved, level_name
from snnc.program import InputCoding, Program

# Calibration samples that each way is tried on.
SAMPLES = 32


@dataclass(frozen=True)
class MaxPoolingChoices:
    """The way for each maximum pooling.

    Attributes:
        ways: By the name of the node.
        notes: What was chosen, its error and its cost, one sentence for each.
    """

    ways: dict[str, MaxPooling]
    notes: tuple[str, ...]


def choose_max_pooling(
    graph: Graph,
    coding: InputCoding,
    levels: NDArray[np.uint8],
    thresholds: Pass,
    timesteps: int,
    lead: int = 0,
) -> MaxPoolingChoices:
    """Takes for each maximum pooling, from the input on, the way with the smaller error on the calibration data.

    The network up to the pooling, with the ways chosen so far, is given thresholds and simulated in floating point; the
    error is the mean distance between the maximum as its spikes have it and the ANN's.

    Args:
        graph: The traced network.
        coding: How data become levels.
        levels: Calibration data, (samples, *input shape).
        thresholds: The pass that chooses thresholds.
        timesteps: T.
        lead: Steps that each layer integrates before it may fire.
    """
    levels = levels[:SAMPLES]
    ann = torch.as_tensor(coding.ann_input(levels)).double()
    ways: dict[str, MaxPooling] = {}
    notes = []
    for node in graph.of_kind(MaxPool2d):
        last = last_node_moved(graph, node)
        part = _up_to(graph, last)
        expected = execute(part, ann)[part.output.name]
        scale = float(expected.abs().mean()) or 1.0
        candidates: tuple[MaxPooling, ...] = ("or", "exact") if can_fire_together(graph, node) else ("exact",)
        errors: dict[MaxPooling, float] = {}
        for way in candidates:
            passes = (*lowering(coding, {**ways, node.name: way}), ProfileActivations(levels), thresholds)
            spiking = PassManager(passes).run(part)
            found = simulate(spiking, torch.as_tensor(levels, dtype=torch.float64), timesteps, lead=lead).readout
            errors[way] = float((found.reshape(expected.shape) - expected).abs().mean()) / scale
        # Of two that are as good, the one of fewer neurons, which comes first.
        ways[node.name] = min(errors, key=lambda way: errors[way])
        notes.append(_note(node, ways[node.name], errors))
    return MaxPoolingChoices(ways, tuple(notes))


def _up_to(graph: Graph, node: Node) -> Graph:
    """The part of a network that a node depends on, with that node as its output."""
    part = graph.copy()
    part.replace(part.output.name, Output(), (node.name,))
    part.remove_unread()
    return part


def _note(node: Node, chosen: MaxPooling, errors: dict[MaxPooling, float]) -> str:
    tried = ", ".join(f"{way} {error:.1%} at {neurons(node, way):,} neurons" for way, error in errors.items())
    return f"{node.where}: maximum pooling by {chosen} (error on the calibration data: {tried})"


def neurons(node: Node, way: MaxPooling) -> int:
    """How many neurons a way of maximum pooling costs.

    Args:
        node: A ``MaxPool2d``.
        way: The way.
    """
    assert isinstance(node.op, MaxPool2d)
    each = {"or": 1, "exact": math.prod(node.op.kernel) - 1, "avg": 0}[way]
    return each * math.prod(node.shape)


def ways_taken(graph: Graph, program: Program) -> dict[str, MaxPooling]:
    """The way in which each maximum pooling of a traced network was written in a program, by the name of the node."""
    names = {layer.name for layer in program.layers}
    memoryless = {layer.name for layer in program.layers if layer.memoryless}
    ways: dict[str, MaxPooling] = {}
    for node in graph.of_kind(MaxPool2d):
        if level_name(node.name, 1) in names:
            ways[node.name] = "exact"
        elif any(name == node.name or name.startswith(f"{node.name}:") for name in memoryless):
            ways[node.name] = "or"
        else:
            ways[node.name] = "avg"
    return ways
