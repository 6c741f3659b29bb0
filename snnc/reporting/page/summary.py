"""What a report says first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.program import CompiledNetwork, SigmaDeltaProgram
from snnc.program.placement import place
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.conversion.collect import Report
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.program import resources
from snnc.runtime.energy import QIAO2015, OperationCounts, estimate_energy


@dataclass(frozen=True)
class Tile:
    """A figure that is shown large.

    Attributes:
        name: What it is.
        value: The figure.
        small: What one should know of it.
    """

    name: str
    value: str
    small: str


def subtitle(report: Report | SigmaDeltaReport) -> str:
    """What was compiled, for which chip, and what it was measured on."""
    program = report.program
    return (
        f"compiled by snnc {program.provenance.snnc} for {program.target}, {wording.timing(program)}, input "
        f"{wording.shape(program.coding.shape)} ({program.coding.kind}); measured on {report.samples:,} samples of "
        f"{report.data}"
    )


def tiles(report: Report | SigmaDeltaReport) -> tuple[Tile, ...]:
    """The figures that matter most."""
    program, counts = report.program, report.counts
    ann, snn = report.ann, report.network
    found = []
    if ann.accuracy is not None and snn.accuracy is not None:
        loss, error = 100 * (snn.accuracy - ann.accuracy), _deviation(snn.accuracy, report.samples)
        found.append(
            Tile(
                "Accuracy",
                f"{100 * snn.accuracy:.1f} %",
                f"ANN {100 * ann.accuracy:.1f} % ({loss:+.1f} points; ± {error}, one standard error)",
            )
        )
    found.append(
        Tile(
            "Same prediction as the ANN",
            f"{100 * snn.agreement:.1f} %",
            f"± {_deviation(snn.agreement, report.samples)} points, one standard error",
        )
    )
    energy = next(each for each in estimate_energy(program, counts) if each.model is QIAO2015)
    placement = place(program, get_target(program.target))
    size = resources(program)
    found += [
        Tile(
            "Energy per sample",
            wording.joules(energy.snn),
            f"ANN {wording.joules(energy.ann)}; estimates by {energy.model.name}",
        ),
        _sent_tile(program, counts),
        _steps_tile(program),
        Tile(
            "Cores",
            f"{placement.cores:,}",
            f"of {placement.chips:,} chip{'s' * (placement.chips != 1)}; {size['neurons']:,} neurons, "
            f"{size['synapses']:,} synapses",
        ),
    ]
    return tuple(found)


def _sent_tile(program: CompiledNetwork, counts: OperationCounts) -> Tile:
    neurons = sum(layer.neurons for layer in program.spiking_layers)
    sent = sum(counts.spikes) / counts.samples
    if isinstance(program, SigmaDeltaProgram):
        return Tile("Messages per sample", wording.whole(sent), f"{sent / neurons:.3f} for each neuron")
    rate = sent / (neurons * program.timesteps)
    return Tile("Spikes per sample", wording.whole(sent), f"{rate:.3f} for each neuron and step")


def _steps_tile(program: CompiledNetwork) -> Tile:
    how = (
        "one for each layer and one for the input"
        if isinstance(program, SigmaDeltaProgram)
        else f"T = {program.timesteps}; {program.latency:,} until its result"
    )
    return Tile("Steps per sample", f"{program.interval:,}", how)


def _deviation(share: float, samples: int) -> str:
    """The standard error of a share of the samples, in points."""
    return f"{100 * math.sqrt(share * (1 - share) / samples):.1f}"
