"""A run as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.compiler.program import Program
from snnc.runtime.energy import EnergyEstimate, OperationCounts
from snnc.runtime.report import wording
from snnc.runtime.report.layout import plain_table


def run_table(program: Program, counts: OperationCounts) -> RenderableType:
    """One row for the input and for each layer: spikes and synaptic operations, for one sample on average."""
    table = plain_table(footer=True)
    samples = counts.samples
    spikes, operations = sum(counts.spikes), counts.synaptic_total
    table.add_column("layer", footer="all layers", no_wrap=True)
    neurons = sum(layer.neurons for layer in program.layers)
    table.add_column("neurons", footer=f"{neurons:,}", justify="right")
    table.add_column("spikes", footer=wording.whole(spikes / samples), justify="right")
    table.add_column("rate", justify="right")
    table.add_column("synaptic operations", footer=wording.whole(operations / samples), justify="right")
    size = math.prod(program.coding.shape)
    slots = program.timesteps * samples
    table.add_row(
        "input", f"{size:,}", wording.whole(counts.input_events / samples), _rate(counts.input_events, size * slots), ""
    )
    for index, layer in enumerate(program.layers):
        fired = counts.spikes[index] if index < len(counts.spikes) else None
        table.add_row(
            wording.layer(layer),
            f"{layer.neurons:,}",
            "-" if fired is None else wording.whole(fired / samples),
            "-" if fired is None else _rate(fired, layer.neurons * slots),
            wording.whole(counts.synaptic[index] / samples),
        )
    legend = (
        "for one sample on average; rate: share of neurons and steps with a spike (input: with a value other than 0)"
    )
    return Group("", table, Text(legend, style="dim"))


def _rate(spikes: int, slots: int) -> str:
    return f"{100 * spikes / slots:.1f} %"


def energy_table(estimates: Sequence[EnergyEstimate]) -> RenderableType:
    """One row for each energy model: SNN, ANN and their ratio."""
    table = plain_table()
    table.add_column("energy per sample", no_wrap=True)
    for title in ("SNN", "ANN", "ANN / SNN"):
        table.add_column(title, justify="right")
    for each in estimates:
        ratio = f"{each.ann / each.snn:,.3g}" if each.ann is not None and each.snn else "-"
        table.add_row(each.model.name, wording.joules(each.snn), wording.joules(each.ann), ratio)
    return Group("", table, Text("energies are estimates from published figures, not measurements", style="dim"))
