"""A compiled network as a picture: each layer with its neurons, threshold, potential and bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc.compiler.ir.diagram import Box, diagram_strips
from snnc.compiler.ir.draw import INPUT_COLOR, OTHER_COLOR, READOUT_COLOR, SPIKING_COLOR
from snnc.compiler.program import Layer, Program
from snnc.compiler.targets import Target, get_target
from snnc.runtime.report import wording
from snnc.runtime.report.bits import membrane_bits, weight_bits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Rows of layers in a picture: as high as a sheet of paper.
_ROWS = 8


def network_figures(program: Program) -> list[Figure]:
    """Draws the layers from top to bottom; long networks in several pictures that continue one another."""
    target = get_target(program.target)
    coding = program.coding
    sent = "graded spikes" if coding.kind == "graded" else "rate coded"
    boxes = {"": Box(f"input   {wording.shape(coding.shape)}\n{sent}, levels 0 to {coding.highest}", INPUT_COLOR)}
    for layer in program.layers:
        sources = tuple("" if each.source < 0 else program.layers[each.source].name for each in layer.synapses)
        boxes[layer.name] = Box("\n".join(_lines(layer, target)), _color(layer), sources)
    return diagram_strips(boxes, rows_at_most=_ROWS)


def _lines(layer: Layer, target: Target) -> list[str]:
    count = f"{layer.neurons:,} neuron{'s' * (layer.neurons != 1)}"
    shape = f"{wording.shape(layer.shape)}, " if len(layer.shape) > 1 else ""
    lines = [f"{wording.layer(layer)}   {shape}{count}"]
    lines += [f"{'+ ' if index else ''}{wording.synapse(each)}" for index, each in enumerate(layer.synapses)]
    if layer.threshold is not None and not layer.memoryless:
        lines.append(f"Vth {wording.scales(layer.scale)}, θ {layer.threshold.value:,}, v0 {layer.initial_potential:,}")
    bits = [f"weights {weight_bits(layer)} of {target.weight_bits} bits"]
    if layer.membrane.measured is not None and not layer.memoryless:
        bits.append(f"potential {membrane_bits(layer.membrane.measured, target)} of {target.state_bits} bits")
    return [*lines, ", ".join(bits)]


def _color(layer: Layer) -> str:
    if layer.threshold is None:
        return READOUT_COLOR
    return OTHER_COLOR if layer.memoryless else SPIKING_COLOR
