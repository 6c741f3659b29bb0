"""A run as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from snnc.program import CompiledNetwork, SigmaDeltaProgram
from snnc.reporting import wording
from snnc.reporting.program import timing_form
from snnc.reporting.table import plain_table
from snnc.runtime.energy import EnergyEstimate, OperationCounts, count_operations, estimate_energy
from snnc.runtime.result import RunResult

Form = dict[str, object]


def run_form(
    program: CompiledNetwork, result: RunResult, labels: NDArray[np.int64] | None, steps: int | None = None
) -> Form:
    """Predictions, accuracy, spikes, synaptic operations and energy; the same for each earlier step that was reported.

    Args:
        program: The program that ran.
        result: What it gave.
        labels: The right classes, (samples,); None where they are not known.
        steps: After how many steps; None: T.
    """
    counts = count_operations(program, result, steps)
    return {
        "samples": result.samples,
        **timing_form(_shortened(program, steps)),
        "accuracy": None if labels is None else result.accuracy(labels),
        "correct": None if labels is None else int((result.predictions == labels).sum()),
        "predictions": result.predictions.tolist(),
        "wraps": None if result.wraps is None else list(result.wraps),
        "layers": layers_form(program, counts),
        "per_sample": {
            "spikes": sum(counts.spikes) / counts.samples,
            "input_events": counts.input_events / counts.samples,
            "synaptic_operations": counts.synaptic_total / counts.samples,
            "ann_macs": sum(layer.macs for layer in program.ann),
        },
        "energy": energy_form(estimate_energy(program, counts)),
        "earlier": [run_form(program, each, labels, stop) for stop, each in result.earlier.items()],
    }


def _shortened(program: CompiledNetwork, steps: int | None) -> CompiledNetwork:
    """A program with another T; sigma-delta networks are reported after their last step alone."""
    return program if steps is None else program.shortened(steps)


def layers_form(program: CompiledNetwork, counts: OperationCounts) -> list[Form]:
    """Spikes and synaptic operations of each layer, summed over all samples and steps."""
    spikes: list[int | None] = [*counts.spikes, None]
    return [
        {"name": layer.name, "neurons": layer.neurons, "spikes": fired, "synaptic_operations": operations}
        for layer, fired, operations in zip(program.layers, spikes, counts.synaptic, strict=True)
    ]


def energy_form(estimates: Sequence[EnergyEstimate]) -> list[Form]:
    """Joules for one sample by each model."""
    return [
        {"model": each.model.name, "snn_joules": each.snn, "ann_joules": each.ann, "source": each.model.source}
        for each in estimates
    ]


def run_table(program: CompiledNetwork, counts: OperationCounts) -> RenderableType:
    """One row for the input and for each layer: spikes and synaptic operations, for one sample on average.

    Neurons of a sigma-delta network send once in a sample at most, so that their rate is a share of neurons alone.
    """
    table = plain_table(footer=True)
    samples = counts.samples
    spikes, operations = sum(counts.spikes), counts.synaptic_total
    table.add_column("layer", footer="all layers", no_wrap=True)
    neurons = sum(layer.neurons for layer in program.layers)
    table.add_column("neurons", footer=f"{neurons:,}", justify="right")
    table.add_column(wording.sent(program), footer=wording.whole(spikes / samples), justify="right")
    table.add_column("rate", justify="right")
    table.add_column("synaptic operations", footer=wording.whole(operations / samples), justify="right")
    size = math.prod(program.coding.shape)
    is_sigma_delta = isinstance(program, SigmaDeltaProgram)
    slots = samples * (1 if is_sigma_delta else program.timesteps)
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
    rate = "neurons that send a message" if is_sigma_delta else "neurons and steps with a spike"
    legend = f"for one sample on average; rate: share of {rate} (input: with a value other than 0)"
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


def earlier_table(program: CompiledNetwork, result: RunResult, labels: NDArray[np.int64] | None) -> RenderableType:
    """One row for each number of steps that was reported after, T the last: what a run of so many steps gives.

    Args:
        program: The program that ran.
        result: What it gave.
        labels: The right classes, (samples,); None where they are not known: then the share of samples whose prediction
            is that after T steps.
    """
    table = plain_table()
    table.add_column("steps", justify="right")
    table.add_column("as after T" if labels is None else "accuracy", justify="right")
    table.add_column("spikes", justify="right")
    table.add_column("synaptic operations", justify="right")
    right = result.predictions if labels is None else labels
    for steps, each in {**result.earlier, program.timesteps: result}.items():
        counts = count_operations(program, each, steps)
        table.add_row(
            str(steps),
            wording.share(each.accuracy(right)),
            wording.whole(sum(counts.spikes) / counts.samples),
            wording.whole(counts.synaptic_total / counts.samples),
        )
    return Group("", table, Text("after so many steps of the same run, for one sample on average", style="dim"))
