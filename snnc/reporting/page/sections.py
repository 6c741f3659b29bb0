"""The sections of a report: what the page's template is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.placement import place
from snnc.program.targets import get_target
from snnc.reporting import wording
from snnc.reporting.conversion.collect import Report
from snnc.reporting.conversion.layers import LayerEvidence, energy_of_layers
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.page.figures import Image, energy_figure, image, network_figures, steps_figure
from snnc.reporting.page.layer_figures import activations_figure, firing_figure, scatter_figure
from snnc.reporting.page.reproduce import Sources, commands, versions
from snnc.reporting.page.tables import (
    energy_table,
    errors_table,
    layers_table,
    passes_table,
    placement_cells,
    provenance_table,
    steps_table,
)
from snnc.reporting.placement import placement_legend, placement_sentence
from snnc.reporting.placement_picture import placement_figure
from snnc.reporting.program import resources
from snnc.runtime.energy import ENERGY_MODELS, QIAO2015

Section = dict[str, Any]

# Layers that are drawn, those with the largest errors: so a page stays small, however deep the network.
DRAWN = 60


def notes_of(report: Report | SigmaDeltaReport) -> tuple[str, ...]:
    """What the user should know besides, of the compilation and of what was measured."""
    notes = [*report.program.provenance.notes, *report.notes]
    if report.clipped:
        notes.append(
            f"{100 * report.clipped:.3g} % of the input values lie outside what the calibration data spanned, and were "
            "clipped to it"
        )
    if report.shared:
        notes.append(
            f"{report.shared:,} of the {report.samples:,} samples measured on are among those that the network was "
            "calibrated on, so that it may do worse on others"
        )
    return tuple(notes)


def size_sentence(program: CompiledNetwork) -> str:
    """What a network is made of."""
    found = resources(program)
    return f"{found['neurons']:,} neurons, {found['synapses']:,} synapses, {found['weights']:,} stored weights."


def network_pictures(program: CompiledNetwork) -> list[Image]:
    """The network drawn, long ones in several pictures."""
    figures = network_figures(program)
    names = ["the network, layer by layer, from the input down"] + ["the network, continued"] * (len(figures) - 1)
    return [image(figure, name, format="svg") for figure, name in zip(figures, names, strict=True)]


def network_section(program: Program) -> Section:
    """The network as a picture and as a table."""
    limit = get_target(program.target).membrane_limit
    return {
        "sentence": size_sentence(program),
        "images": network_pictures(program),
        "table": layers_table(program),
        "legend": "Vth is the activation that a spike in every step stands for. θ (threshold), v0 (initial potential) "
        "and the range of the membrane potential are in weight units; at "
        f"±{limit:,} the potential would overflow. Measured on "
        f"{program.provenance.calibration_samples:,} calibration samples; proven for any input. The margin is how many "
        "times as far as on the calibration samples the potential can go. Bits are those that "
        "the largest weight and the measured potential take on the chip.",
    }


def passes_section(report: Report) -> Section:
    """The network after every pass."""
    reference = "accuracy" if report.labelled else "agreement with the ANN"
    legend = "points: what the pass adds or costs. "
    legend += (
        "The passes up to the thresholds were run again from the model; thresholds are those of the .net file. What "
        "corrections on calibration data made of weights and biases shows in the last row."
        if report.replayed
        else "seconds: what the pass took to compile."
    )
    if not report.labelled:
        legend += " The data have no labels."
    return {
        "title": _judged_by(report),
        "sentence": f"The network as each pass leaves it, on the same {report.samples:,} samples: where {reference} "
        "falls, it is lost. Passes up to the thresholds are exact (but for --max-pool avg); the thresholds' pass is "
        "taken apart, since that is where activations are first clipped, then rounded to as many levels as T steps "
        "have, then sent as spikes.",
        "table": passes_table(report),
        "legend": legend,
    }


def _judged_by(report: Report) -> str:
    return "Accuracy" if report.labelled else "Agreement with the ANN"


def steps_section(report: Report) -> Section:
    """The network after fewer steps."""
    program = report.program
    how = (
        f"the same network shown each sample for fewer steps, its layers waiting {program.lead} at most"
        if program.lead
        else "the same run, stopped after fewer steps"
    )
    return {
        "title": f"{_judged_by(report)} against T",
        "sentence": f"What the network says with fewer steps than T = {program.timesteps}: {how}. Compiled for that "
        "number of steps, with thresholds of its own, it usually does better. Spikes and synaptic operations are for "
        "one sample on average.",
        "image": image(steps_figure(report), "accuracy and agreement with the ANN against the number of steps"),
        "table": steps_table(report),
    }


def layers_section(report: Report, told: Callable[[int, int], None]) -> Section:
    """Each layer beside the ANN's.

    Args:
        report: The report.
        told: Told how many layers are drawn, and of how many.
    """
    drawn = _drawn(report)
    pictures = []
    for done, evidence in enumerate(drawn):
        told(done, len(drawn))
        pictures.append(
            {"name": wording.layer(evidence.layer), "figures": _figures(evidence), "images": _images(evidence)}
        )
    missing = len(report.layers) - len(drawn)
    return {
        "title": "Layers: activations of the ANN against rates",
        "key": (
            ("clipped", "clipped above Vth"),
            ("rounded", "rounded to T + 1 levels"),
            ("received", "received, accumulated on the way"),
        ),
        "table": errors_table(report),
        "legend": "correlation of activation and rate; error: sum of the distances of the rates from the ANN's "
        "activations, and its parts, in % of the sum of the activations. clipped: what activations exceed Vth by; "
        "rounded: to T + 1 levels; received: what accumulates on the way, from the layers before, from spikes that "
        "come unevenly and from integer weights (parts may cancel, so that their sum exceeds the error). shift: mean "
        "error. rate: spikes for each neuron and step. dead: % of the neurons that never fire; silent: of those that "
        "the ANN activates, % that never fire; always firing: % that fire in every step of every sample; saturated: % "
        "of neurons and samples with a spike in every step.",
        "captions": "Activations against rates: each point is a neuron on a sample, its activation in the ANN against "
        "its rate, both as shares of the threshold (spread a little up and down); the line is what the neuron gives "
        "for an input that comes evenly. Sorted activations: the positive ones in ascending order (blue), what the "
        "quantiser makes of them (orange), and between the two the error of clipping and rounding. Firing rates: how "
        "many neurons fire how often.",
        "pictures": pictures,
        "left_out": f"Drawn are the {len(drawn):,} layers with the largest errors; {missing:,} more are in the table."
        if missing
        else "",
    }


def _drawn(report: Report) -> list[LayerEvidence]:
    worst = sorted(report.layers, key=lambda each: each.errors.total if each.errors else 0.0, reverse=True)[:DRAWN]
    return [each for each in report.layers if any(each is other for other in worst)]


def _figures(evidence: LayerEvidence) -> str:
    layer = evidence.layer
    figures = [wording.shape(layer.shape), f"Vth {wording.scales(layer.scale)}"]
    if evidence.errors is None:
        figures.append("no value of the ANN corresponds to it")
    else:
        figures.append(f"error {100 * evidence.errors.total:.1f} %")
    return ", ".join(figures)


def _images(evidence: LayerEvidence) -> list[Image]:
    found = []
    if evidence.scatter is not None:
        found.append(image(scatter_figure(evidence), "activations against rates"))
    if evidence.thresholds is not None:
        found.append(image(activations_figure(evidence), "sorted activations and the quantiser's steps"))
    return [*found, image(firing_figure(evidence), "firing rates of the neurons")]


def energy_section(report: Report | SigmaDeltaReport) -> Section:
    """Spikes or messages, synaptic operations and energy by layer."""
    layers = energy_of_layers(report.program, report.counts)
    convention = (
        " A message counts as a spike does, whatever its size, and what biases send once is no part of a sample."
        if isinstance(report.program, SigmaDeltaProgram)
        else ""
    )
    return {
        "title": f"{wording.sent(report.program).capitalize()}, synaptic operations and energy",
        "sentence": f"For one sample, mean of {report.samples:,}. Energies are estimates from published figures, not "
        f"measurements; what folding moved to another layer counts where its module went.{convention}",
        "image": image(
            energy_figure(layers, QIAO2015.name), "energy of SNN and ANN for each layer", format="svg"
        ),
        "table": energy_table(layers, report.program),
        "sources": [(model.name, model.source) for model in ENERGY_MODELS],
    }  # fmt: skip


def chip_section(program: CompiledNetwork) -> Section:
    """Which cores the network takes."""
    placement = place(program, get_target(program.target))
    return {
        "sentence": f"{placement.target.description}: {placement_sentence(placement)}.",
        "errors": list(map(str, placement.errors())),
        "image": image(
            placement_figure(placement), "the chip's cores, with the layer that each holds and how full it is"
        ),
        "table": placement_cells(placement),
        "legend": f"{placement_legend(placement)}.",
    }


def reproduce_section(report: Report | SigmaDeltaReport, sources: Sources, name: str) -> Section:
    """The commands, and where the network came from."""
    unknown = (
        "DATA stands for the calibration data, which a .net file does not name. " if not sources.calibration else ""
    )
    return {
        "commands": commands(report.program, sources, name),
        "sentence": f"{unknown}The same model, data and options give the same .net file, byte for byte, with the same "
        "version of snnc.",
        "table": provenance_table(report.program, versions()),
    }
