"""What a report says first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.compiler.placement import place
from snnc.compiler.targets import get_target
from snnc.reporting.collect import Report
from snnc.runtime.energy import QIAO2015, estimate_energy
from snnc.runtime.report import wording
from snnc.runtime.report.program_form import resources


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


def subtitle(report: Report) -> str:
    """What was compiled, for which chip, and what it was measured on."""
    program = report.program
    return (
        f"compiled by snnc {program.provenance.snnc} for {program.target}, {wording.timing(program)}, input "
        f"{wording.shape(program.coding.shape)} ({program.coding.kind}); measured on {report.samples:,} samples of "
        f"{report.data}"
    )


def tiles(report: Report) -> tuple[Tile, ...]:
    """The figures that matter most."""
    program, counts = report.program, report.counts
    ann, snn = report.diagnosis.stages[0], report.diagnosis.stages[-1]
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
    neurons = sum(layer.neurons for layer in program.spiking_layers)
    spikes = sum(counts.spikes) / counts.samples
    rate = spikes / (neurons * program.timesteps)
    placement = place(program, get_target(program.target))
    size = resources(program)
    found += [
        Tile(
            "Energy per sample",
            wording.joules(energy.snn),
            f"ANN {wording.joules(energy.ann)}; estimates by {energy.model.name}",
        ),
        Tile("Spikes per sample", wording.whole(spikes), f"{rate:.3f} for each neuron and step"),
        Tile(
            "Steps per sample",
            f"{program.interval:,}",
            f"T = {program.timesteps}; {program.latency:,} until its result",
        ),
        Tile(
            "Cores",
            f"{placement.cores:,}",
            f"of {placement.chips:,} chip{'s' * (placement.chips != 1)}; {size['neurons']:,} neurons, "
            f"{size['synapses']:,} synapses",
        ),
    ]
    return tuple(found)


def _deviation(share: float, samples: int) -> str:
    """The standard error of a share of the samples, in points."""
    return f"{100 * math.sqrt(share * (1 - share) / samples):.1f}"
