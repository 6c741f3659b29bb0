"""The sections of a report that sigma-delta networks have in place of others."""

from __future__ import annotations

from snnc.program import SigmaDeltaProgram
from snnc.program.sigma_delta import ACTIVATION_LIMIT, STATE_LIMIT
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.page.figures import bounds_figure, image
from snnc.reporting.page.sections import Section, network_pictures, size_sentence
from snnc.reporting.page.tables import bounds_table, passes_table, sigma_delta_layers_table
from snnc.reporting.program import LEGEND


def sigma_delta_network_section(program: SigmaDeltaProgram) -> Section:
    """The network as a picture and as a table."""
    return {
        "sentence": size_sentence(program),
        "images": network_pictures(program),
        "table": sigma_delta_layers_table(program),
        "legend": f"{LEGEND[0].upper()}{LEGEND[1:]}. Ranges are those of sigma plus bias; messages of 16 bits overflow "
        f"at {ACTIVATION_LIMIT:,}, sigma at ±{STATE_LIMIT:,}. Measured on "
        f"{program.provenance.calibration_samples:,} calibration samples; proven for any input. The last channel of "
        "each layer but the readout holds a constant, for the biases of the next.",
    }


def sigma_delta_passes_section(report: SigmaDeltaReport) -> Section:
    """The network after every pass."""
    legend = "points: what the pass adds or costs. "
    legend += (
        "The passes up to quantisation were run again from the model; the last row is the .net file."
        if report.replayed
        else "seconds: what the pass took to compile."
    )
    if not report.labelled:
        legend += " The data have no labels."
    return {
        "title": "Accuracy" if report.labelled else "Agreement with the ANN",
        "sentence": f"The network as each pass leaves it, on the same {report.samples:,} samples. Passes up to "
        "quantisation are exact (but for --max-pool avg). There are no thresholds to assign: nothing is clipped or "
        "turned into rates, and what quantisation costs is the rounding of weights, biases and messages.",
        "table": passes_table(report),
        "legend": legend,
    }


def sigma_delta_steps_section(program: SigmaDeltaProgram) -> Section:
    """Why there is no T to compare."""
    return {
        "title": "Steps",
        "sentence": f"Sigma-delta neurons have no T. A sample takes {program.timesteps:,} steps, one for each layer "
        "and one for the input: then the changes have passed all layers, and more steps change nothing. With fewer "
        "the readout has seen nothing of the sample, so there is no accuracy against the number of steps.",
    }


def sigma_delta_layers_section(report: SigmaDeltaReport) -> Section:
    """Each layer beside the ANN's, with its bound."""
    is_bound = any(each.bound is not None for each in report.layers)
    missing = (
        ""
        if is_bound
        else " No bound is shown: the model is not the one that was compiled, or its maximum pooling became average "
        "pooling, so that rounding is not all that separates the two."
    )
    return {
        "title": "Layers: activations of the ANN against sums of messages",
        "image": image(bounds_figure(report.layers), "errors of each layer, and how far rounding can take it"),
        "table": bounds_table(report),
        "legend": "correlation of activations and sums of messages; errors are absolute, in the ANN's units (readout: "
        "of the logits); bound: the largest error that rounding can make of any value of these samples, a worst case "
        "that grows with depth (docs/sdnn.md); out of bound: values whose error is larger than their own bound; "
        f"messages per neuron: for one sample, at most 1.{missing}",
    }
