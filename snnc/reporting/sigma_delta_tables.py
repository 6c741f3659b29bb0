"""The tables of a report that sigma-delta networks have in place of others."""

from __future__ import annotations

from snnc.compiler.program import SigmaDeltaProgram
from snnc.reporting.cells import Cell, Table, layer_name, modules, number, table
from snnc.reporting.sigma_delta_report import SigmaDeltaReport
from snnc.runtime.report import wording
from snnc.runtime.report.sigma_delta_table import TITLES, layer_cells


def sigma_delta_layers_table(program: SigmaDeltaProgram) -> Table:
    """What the layers are made of."""
    rows = [
        [
            layer_name(layer, modules(layer)),
            Cell(wording.shape(layer.shape)),
            number(f"{layer.neurons:,}"),
            Cell(wording.synapses(program, index)),
            *map(number, layer_cells(layer, absolute=True)),
        ]
        for index, layer in enumerate(program.layers)
    ]
    return table(["layer", "shape", "neurons", "synapses", *TITLES], rows)


def bounds_table(report: SigmaDeltaReport) -> Table:
    """The layers' values beside the ANN's activations, with how far rounding can take them."""
    program = report.program
    messages = {
        layer.name: sent / report.samples / layer.neurons
        for layer, sent in zip(program.spiking_layers, report.counts.spikes, strict=True)
    }
    named = {layer.name: layer for layer in program.layers}
    rows = [
        [
            layer_name(named[each.name]),
            number("-" if each.correlation is None else f"{each.correlation:.6f}"),
            number(f"{each.mean_error:.4g}"),
            number(f"{each.largest_error:.4g}"),
            number("-" if each.bound is None else f"{each.bound:.4g}"),
            number("-" if each.bound is None else f"{each.out_of_bound:,}"),
            number(f"{messages[each.name]:.3f}" if each.name in messages else "-"),
        ]
        for each in report.layers
    ]
    titles = ["layer", "correlation", "mean error", "largest error", "bound", "out of bound", "messages per neuron"]
    return table(titles, rows)
