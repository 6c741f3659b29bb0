"""A run as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.program import CompiledNetwork, SigmaDeltaProgram
from snnc.runtime.energy import EnergyEstimate, OperationCounts, count_operations, estimate_energy
from snnc.runtime.report.program_form import timing_form
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
    if steps is None or isinstance(program, SigmaDeltaProgram):
        return program
    return replace(program, timesteps=steps)


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
