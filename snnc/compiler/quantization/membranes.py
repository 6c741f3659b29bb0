"""From a quantised graph to a program whose membranes were measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.compiler.ir import Graph, QuantizedLayer
from snnc.program import AnnLayer, Gate, InputCoding, Layer, Program, Provenance
from snnc.program.targets import Target
from snnc.runtime.energy.operations import count_operations
from snnc.runtime.simulator import Simulator


@dataclass(frozen=True, eq=False)
class Measured:
    """A program that ran on calibration data.

    Attributes:
        program: The program with measured ranges and balanced gates.
        wraps: How often the membranes of each layer overflowed (0 where all is well).
        outputs: Its outputs, in the ANN's units, (samples, *shape of the readout).
        operations: Synaptic operations for each sample, mean.
    """

    program: Program
    wraps: tuple[int, ...]
    outputs: FloatArray
    operations: float


def measure_membranes(program: Program, levels: NDArray[np.uint8], target: Target) -> Measured:
    """Run the simulator, note the range of every membrane and balance the gates: what is measured is what will run.

    A gate has to be strong enough to silence the highest potential and weak enough not to wrap the lowest one. Where
    no gate is proven to do both, it is set so that potentials can go equally many times as far as on the calibration
    data on both sides. With lead its pulse also comes as a window opens, with the first input.

    Args:
        program: A program.
        levels: Calibration data as input levels.
        target: The chip.

    Returns:
        The program, and what it did.
    """
    simulator = Simulator(program)
    result = simulator.run(levels)
    wraps = result.wraps
    assert simulator.ranges is not None
    layers = []
    for layer, found, proven in zip(program.layers, simulator.ranges, simulator.proven, strict=True):
        membrane = replace(layer.membrane, measured=(found.low, found.high), samples=len(levels))
        measured = replace(layer, membrane=membrane)
        layers.append(measured if proven else _balanced(measured, found.low, found.high, target, program.lead))
    program = replace(program, layers=tuple(layers))
    if wraps is not None and any(wraps):
        result = Simulator(program).run(levels)
        wraps = result.wraps
    assert wraps is not None
    operations = count_operations(program, result).synaptic_total / len(levels)
    return Measured(program, wraps, program.logits(result.readout), operations)


def _balanced(layer: Layer, low: int, high: int, target: Target, lead: int) -> Layer:
    if layer.gate is None:
        return layer
    # With lead no bias arrives in the blank step.
    bias = (0, 0) if lead else (min(0, int(layer.bias.min())), max(0, int(layer.bias.max())))
    needed = high + bias[1] - layer.firing_level + 1
    allowed = target.membrane_limit + low + bias[0]
    if target.input_limit is not None:
        # No step changes a potential by more than its range; after a reset it may be as low as -v0.
        beside = high - min(low, -layer.initial_potential) if lead else int(abs(layer.bias).max())
        allowed = min(allowed, target.input_limit - beside)
    if needed > allowed:
        return replace(layer, gate=Gate.above(max(layer.gate.value, (needed + allowed) / 2), target))
    # Both ends can go equally many times as far, a threshold further each, as spikes come unevenly.
    assert layer.threshold is not None
    above, below = high + layer.threshold.value, layer.threshold.value - low
    room = target.membrane_limit + bias[0] - bias[1] + layer.firing_level
    equal = room * above / (above + below) + bias[1] - layer.firing_level
    return replace(layer, gate=Gate.above(max(layer.gate.value, min(max(needed, equal), allowed)), target))


def to_program(
    graph: Graph,
    *,
    target: str,
    timesteps: int,
    coding: InputCoding,
    ann: tuple[AnnLayer, ...],
    provenance: Provenance,
    lead: int = 0,
) -> Program:
    """Return the program of a graph whose layers are all quantised."""
    layers = tuple(node.op.layer for node in graph if isinstance(node.op, QuantizedLayer))
    return Program(target, timesteps, coding, layers, ann, provenance, lead)
