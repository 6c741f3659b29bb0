"""A compiled network as a picture: each layer with its neurons, threshold, potential and bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc.compiler.ir.diagram import Box, diagram_strips
from snnc.compiler.ir.draw import INPUT_COLOR, OTHER_COLOR, READOUT_COLOR, SPIKING_COLOR
from snnc.compiler.program import CompiledNetwork, Layer, NeuronLayer, SigmaDeltaLayer
from snnc.compiler.targets import Target, get_target
from snnc.runtime.report import wording
from snnc.runtime.report.bits import membrane_bits, weight_bits
from snnc.runtime.report.sigma_delta_table import layer_cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Rows of layers in a picture: as high as a sheet of paper.
_ROWS = 8


def network_figures(program: CompiledNetwork) -> list[Figure]:
    """Draws the layers from top to bottom; long networks in several pictures that continue one another."""
    target = get_target(program.target)
    coding = program.coding
    sent = "graded spikes" if coding.kind == "graded" else "rate coded"
    boxes = {"": Box(f"input   {wording.shape(coding.shape)}\n{sent}, levels 0 to {coding.highest}", INPUT_COLOR)}
    for layer in program.layers:
        sources = tuple("" if each.source < 0 else program.layers[each.source].name for each in layer.synapses)
        boxes[layer.name] = Box("\n".join(_lines(layer, target)), _color(layer), sources)
    return diagram_strips(boxes, rows_at_most=_ROWS)


def _lines(layer: Layer | SigmaDeltaLayer, target: Target) -> list[str]:
    count = f"{layer.neurons:,} neuron{'s' * (layer.neurons != 1)}"
    shape = f"{wording.shape(layer.shape)}, " if len(layer.shape) > 1 else ""
    lines = [f"{wording.layer(layer)}   {shape}{count}"]
    lines += [f"{'+ ' if index else ''}{wording.synapse(each)}" for index, each in enumerate(layer.synapses)]
    if isinstance(layer, SigmaDeltaLayer):
        unit, *_ = layer_cells(layer, absolute=False)[1:]
        held_back = f", delta threshold {layer.held_back:,}" if layer.held_back else ""
        return [*lines, f"unit {unit}{held_back}, weights {weight_bits(layer)} of {target.weight_bits} bits"]
    if layer.threshold is not None and not layer.memoryless:
        lines.append(f"Vth {wording.scales(layer.scale)}, θ {layer.threshold.value:,}, v0 {layer.initial_potential:,}")
    bits = [f"weights {weight_bits(layer)} of {target.weight_bits} bits"]
    if layer.membrane.measured is not None and not layer.memoryless:
        bits.append(f"potential {membrane_bits(layer.membrane.measured, target)} of {target.state_bits} bits")
    return [*lines, ", ".join(bits)]


def _color(layer: NeuronLayer) -> str:
    if layer.is_readout:
        return READOUT_COLOR
    # What only hands on what it gets: memoryless neurons, and the relay behind the input of sigma-delta networks.
    hands_on = layer.memoryless if isinstance(layer, Layer) else not layer.modules
    return OTHER_COLOR if hands_on else SPIKING_COLOR
