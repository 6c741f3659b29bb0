"""A validation as a table, in words and as a JSON object: ANN against simulator against Lava."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from snnc.analysis.validation import LayerComparison, Validation
from snnc.program import Provenance
from snnc.program.targets import INTEGRATE_AND_FIRE, SIGMA_DELTA
from snnc.program.verdict import Verdict
from snnc.reporting import wording
from snnc.reporting.table import Column, Json, Table, column, plain
from snnc.reporting.wording import share
from snnc.runtime.agreement import Agreement

# What JSON has of a layer beside what people see of every one.
RECORDED: tuple[Column[LayerComparison], ...] = (
    column(lambda layer: layer.name, key="name"),
    column(lambda layer: layer.modules, key="modules"),
    column(lambda layer: layer.saturated, key="saturated"),
    column(lambda layer: layer.bound, key="bound"),
    column(lambda layer: layer.out_of_bound, key="out_of_bound"),
)


def comparison_columns(
    correlation: Callable[[float], str], mean: Callable[[float], str], largest: Callable[[float], str]
) -> tuple[Column[LayerComparison], ...]:
    """Return the columns on how near a layer comes to the ANN.

    Args:
        correlation: Writes the correlation.
        mean: Writes the mean error.
        largest: Writes the largest error.
    """
    return (
        column(lambda layer: layer.correlation, correlation, title="correlation", key="correlation", kind="number"),
        column(lambda layer: layer.mean_error, mean, title="mean error", key="mean_error", kind="number"),
        column(lambda layer: layer.largest_error, largest, title="largest error", key="largest_error", kind="number"),
    )


def message_columns() -> tuple[Column[LayerComparison], ...]:
    """Return the columns on how near sums of messages come to the ANN, whose error has a bound."""
    return (
        *comparison_columns(wording.decimals(6), wording.significant(4), wording.significant(4)),
        column(lambda layer: layer.bound, wording.significant(4), title="bound", kind="number"),
    )


def _rates(layers: Sequence[LayerComparison]) -> Table[LayerComparison]:
    """Return the table of firing rates beside activations."""
    *_, readout = layers
    return Table(
        (
            _name_column(readout),
            *comparison_columns(wording.decimals(4), wording.decimals(4), wording.decimals(3)),
            column(
                lambda layer: None if layer is readout else layer.saturated, share, title="saturated", kind="number"
            ),
            *RECORDED,
        ),
        layers,
        legend="ANN activation against Vth × firing rate; errors are absolute, in units of Vth (readout: of the "
        "logits); saturated: share of activations above Vth",
    )


def _messages(layers: Sequence[LayerComparison]) -> Table[LayerComparison]:
    """Return the table of sums of messages beside activations."""
    return Table(
        (_name_column(layers[-1]), *message_columns(), *RECORDED),
        layers,
        legend="ANN activation against sums of messages; errors are absolute, in the ANN's units; bound: the largest "
        "error that rounding can make, of any value of these samples (docs/sdnn.md)",
    )


def _name_column(readout: LayerComparison) -> Column[LayerComparison]:
    def name(layer: LayerComparison) -> str:
        return f"{layer.name} (readout)" if layer is readout else layer.name

    return column(name, title="layer", kind="name")


# How a comparison is shown, by the kind of neurons.
_SHOWN: dict[str, Callable[[Sequence[LayerComparison]], Table[LayerComparison]]] = {
    INTEGRATE_AND_FIRE: _rates,
    SIGMA_DELTA: _messages,
}


def validation_table(validation: Validation) -> Table[LayerComparison]:
    """Return a row for each layer: how near its rates, or its messages, come to the ANN's activations."""
    return _SHOWN[validation.neuron](validation.layers)


def validation_lines(validation: Validation) -> list[str]:
    """Return the agreement of simulator and Lava, and then how the network compares with the ANN, a line each."""
    lines = [] if validation.agreement is None else agreement_lines(validation.agreement)
    return [*lines, f"SNN beside the ANN on {validation.samples:,} samples: {validation.verdict.figures}"]


def agreement_lines(agreement: Agreement) -> list[str]:
    """Return the agreement of simulator and Lava, and each layer that differs."""
    lines = [f"{agreement.sentence()}, on {agreement.samples:,} samples"]
    lines.extend(
        f"  {layer.name}: {layer.differing:,} {agreement.sent} differ ({layer.matching:,} of {layer.expected:,} agree)"
        for layer in agreement.layers
        if layer.differing
    )
    return lines


def validation_json(validation: Validation) -> Json:
    """Return the validation as a JSON object."""
    agreement = validation.agreement
    return {
        "samples": validation.samples,
        "layers": validation_table(validation).records(),
        "task": validation.verdict.task,
        "agreeing_predictions": None if validation.verdict.task == "values" else validation.agreeing,
        "ann_accuracy": validation.ann_accuracy,
        "snn_accuracy": validation.snn_accuracy,
        "drop": validation.drop,
        "verdict": verdict_json(validation.verdict),
        "wraps": list(validation.wraps),
        "clipped": validation.clipped,
        "lava": None if agreement is None else agreement_json(agreement),
    }


NOT_JUDGED = "not judged: the file does not say how its integers compare with the ANN (snnc validate does)"


def verdict_line(provenance: Provenance) -> str:
    """Return what a compiled network is worth, as its provenance has it."""
    return provenance.verdict.sentence if provenance.verdict else NOT_JUDGED


def verdict_json(verdict: Verdict | None) -> Json | None:
    """Return a verdict as a JSON object; None where nobody judged."""
    if verdict is None:
        return None
    return {
        "task": verdict.task,
        "samples": verdict.samples,
        "held_out": verdict.held_out,
        "agreement": verdict.agreement,
        "ann_accuracy": verdict.ann_accuracy,
        "snn_accuracy": verdict.snn_accuracy,
        "drop": verdict.drop,
        "explained": verdict.explained,
        "relative_error": verdict.relative_error,
        "ann_target_error": plain(verdict.ann_error),
        "snn_target_error": plain(verdict.snn_error),
        "layers": [{"name": each.name, "unexplained": each.value} for each in verdict.layers],
        "begins": verdict.begins,
        "failures": list(verdict.failures()),
    }


def agreement_json(agreement: Agreement) -> Json:
    """Return the agreement of simulator and Lava as a JSON object."""
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
