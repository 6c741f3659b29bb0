"""What a report says first: its subtitle and the figures that are shown large."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.analysis.conversion import ConversionReport
from snnc.compiler.compilation import shortfall
from snnc.program import CompiledNetwork
from snnc.program.placement import place
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.program import resources, view
from snnc.reporting.validation import verdict_line
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


def subtitle(report: ConversionReport) -> str:
    """Return what was compiled, for which chip, and what it was measured on."""
    program = report.program
    return (
        f"compiled by snnc {program.provenance.snnc} for {program.target}, {wording.timing(program)}, input "
        f"{wording.shape(program.coding.shape)} ({program.coding.kind}); measured on {report.samples:,} samples of "
        f"{report.data}"
    )


def verdict(report: ConversionReport) -> tuple[str, str]:
    """Return what compiling said of the network's integers, and what is bad of that; "" where nothing is."""
    return verdict_line(report.program.provenance), shortfall(report.program) or ""


def tiles(report: ConversionReport) -> tuple[Tile, ...]:
    """Return the figures that matter most."""
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
    if report.task == "values":
        error = f"; from the targets: {snn.error.sentence}" if snn.error else ""
        found.append(Tile("R squared to the ANN", f"{snn.agreement:.4f}", f"of all outputs{error}"))
    else:
        found.append(_agreement_tile(report))
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
        Tile("Steps per sample", f"{program.interval:,}", view(program).steps),
        Tile(
            "Cores",
            f"{placement.cores:,}",
            f"of {placement.chips:,} chip{'s' * (placement.chips != 1)}; {size['neurons']:,} neurons, "
            f"{size['synapses']:,} synapses",
        ),
    ]
    return tuple(found)


def _agreement_tile(report: ConversionReport) -> Tile:
    agreement = report.network.agreement
    return Tile(
        "Same prediction as the ANN",
        f"{100 * agreement:.1f} %",
        f"± {_deviation(agreement, report.samples)} points, one standard error",
    )


def _sent_tile(program: CompiledNetwork, counts: OperationCounts) -> Tile:
    neurons = sum(layer.neurons for layer in program.spiking_layers)
    sent = sum(counts.spikes) / counts.samples
    rate = sent / (neurons * program.sending_steps)
    name = f"{program.wording.sent.capitalize()} per sample"
    return Tile(name, wording.whole(sent), f"{rate:.3f} {view(program).sent_by_each}")


def _deviation(share: float, samples: int) -> str:
    """Return the standard error of a share of the samples, in points."""
    return f"{100 * math.sqrt(share * (1 - share) / samples):.1f}"
