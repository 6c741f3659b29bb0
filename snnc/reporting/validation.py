"""A validation for people and for programs."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.analysis.validation.validate import Validation
from snnc.program.targets import SIGMA_DELTA
from snnc.reporting.table import plain_table
from snnc.reporting.wording import share
from snnc.runtime.agreement import Agreement

Form = dict[str, object]


def validation_table(validation: Validation) -> RenderableType:
    """One row for each layer: how near its rates, or its messages, come to the ANN's activations."""
    if validation.neuron == SIGMA_DELTA:
        return _message_table(validation)
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    for title in ("correlation", "mean error", "largest error", "saturated"):
        table.add_column(title, justify="right")
    for index, layer in enumerate(validation.layers):
        last = index == len(validation.layers) - 1
        table.add_row(
            f"{layer.name} (readout)" if last else layer.name,
            "-" if layer.correlation is None else f"{layer.correlation:.4f}",
            f"{layer.mean_error:.4f}",
            f"{layer.largest_error:.3f}",
            "-" if last else share(layer.saturated),
        )
    legend = (
        "ANN activation against Vth × firing rate; errors are absolute, in units of Vth (readout: of the logits); "
        "saturated: share of activations above Vth"
    )
    return Group("", table, Text(legend, style="dim"))


def _message_table(validation: Validation) -> RenderableType:
    """The same for sigma-delta neurons, whose error has a bound."""
    table = plain_table()
    table.add_column("layer", no_wrap=True)
    for title in ("correlation", "mean error", "largest error", "bound"):
        table.add_column(title, justify="right")
    for layer in validation.layers:
        table.add_row(
            f"{layer.name} (readout)" if layer is validation.layers[-1] else layer.name,
            "-" if layer.correlation is None else f"{layer.correlation:.6f}",
            f"{layer.mean_error:.4g}",
            f"{layer.largest_error:.4g}",
            "-" if layer.bound is None else f"{layer.bound:.4g}",
        )
    legend = (
        "ANN activation against sums of messages; errors are absolute, in the ANN's units; bound: the largest error "
        "that rounding can make, of any value of these samples (docs/sdnn.md)"
    )
    return Group("", table, Text(legend, style="dim"))


def validation_lines(validation: Validation) -> list[str]:
    """Predictions, accuracies and the agreement of simulator and Lava, a line each."""
    lines = [
        f"ANN and SNN predict the same class for {validation.agreeing:,} of {validation.samples:,} samples "
        f"({share(validation.agreeing / validation.samples)})"
    ]
    if validation.ann_accuracy is not None and validation.snn_accuracy is not None:
        lines.append(
            f"accuracy: ANN {share(validation.ann_accuracy)}, SNN {share(validation.snn_accuracy)} "
            f"({-(validation.drop or 0):+.2f} points)"
        )
    if validation.agreement is not None:
        lines.extend(agreement_lines(validation.agreement))
    return lines


def agreement_lines(agreement: Agreement) -> list[str]:
    """The agreement of simulator and Lava, and each layer that differs."""
    lines = [f"{agreement.sentence()}, on {agreement.samples:,} samples"]
    lines.extend(
        f"  {layer.name}: {layer.differing:,} {agreement.sent} differ ({layer.matching:,} of {layer.expected:,} agree)"
        for layer in agreement.layers
        if layer.differing
    )
    return lines


def validation_form(validation: Validation) -> Form:
    """The validation as a JSON object."""
    agreement = validation.agreement
    return {
        "samples": validation.samples,
        "layers": [asdict(layer) for layer in validation.layers],
        "agreeing_predictions": validation.agreeing,
        "ann_accuracy": validation.ann_accuracy,
        "snn_accuracy": validation.snn_accuracy,
        "drop": validation.drop,
        "wraps": list(validation.wraps),
        "clipped": validation.clipped,
        "lava": None if agreement is None else agreement_form(agreement),
    }


def agreement_form(agreement: Agreement) -> Form:
    """The agreement of simulator and Lava as a JSON object."""
    return {
        "samples": agreement.samples,
        "spikes": agreement.spikes,
        "spikes_matching": agreement.spikes_matching,
        "spikes_extra": agreement.spikes_extra,
        "readouts": agreement.readouts,
        "readouts_matching": agreement.readouts_matching,
        "complete": agreement.complete,
        "layers": [{**asdict(layer), "differing": layer.differing} for layer in agreement.layers],
    }
