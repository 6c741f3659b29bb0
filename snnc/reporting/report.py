"""What was measured of a conversion as tables, for the terminal, the page and programs, and as a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

from snnc.analysis.conversion import (
    ConversionReport,
    LayerEnergy,
    LayerEvidence,
    PassOutcome,
    Report,
    SigmaDeltaReport,
    StepOutcome,
    energy_of_layers,
)
from snnc.analysis.diagnosis import LayerErrors
from snnc.analysis.validation import LayerComparison
from snnc.program import NeuronLayer
from snnc.reporting import wording
from snnc.reporting.diagnosis import diagnosis_json
from snnc.reporting.table import Bars, Column, Json, Table, column, plain
from snnc.reporting.validation import RECORDED, message_columns, verdict_json
from snnc.reporting.wording import share
from snnc.runtime.energy import ENERGY_MODELS, EnergyModel

# Parts of a layer's error, as the page's style sheet names their colours.
CAUSES = ("clipped", "rounded", "received")


class _Decides(Protocol):
    """What a network's predictions came to."""

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions, 0..1; None without labels."""

    @property
    def agreement(self) -> float:
        """Share of samples with the ANN's prediction, 0..1; of values R squared."""


@dataclass(frozen=True)
class PassRow:
    """The network after a pass.

    Attributes:
        outcome: How it decides then.
        before: Accuracy, or without labels agreement with the ANN, after the pass before; None of the model itself.
    """

    outcome: PassOutcome
    before: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions, 0..1; None without labels."""
        return self.outcome.accuracy

    @property
    def agreement(self) -> float:
        """Share of samples with the ANN's prediction, 0..1; of values R squared."""
        return self.outcome.agreement

    @property
    def value(self) -> float:
        """Accuracy, or without labels agreement with the ANN, 0..1."""
        return self.agreement if self.accuracy is None else self.accuracy

    @property
    def change(self) -> float | None:
        """What the pass adds or costs; None where nothing."""
        return None if self.before in (None, self.value) else self.value - (self.before or 0.0)


def passes_table(report: ConversionReport, *, changed: bool = False) -> Table[PassRow]:
    """Return the network after each pass.

    Args:
        report: What was measured.
        changed: Leave out passes that changed nothing.
    """
    rows: list[PassRow] = []
    for each in report.passes:
        rows.append(PassRow(each, rows[-1].value if rows else None))

    def done(row: PassRow) -> str:
        figures = {name: value for name, value in (row.outcome.figures or {}).items() if value}
        return wording.figures(figures) if row.outcome.changed else "nothing to do"

    return Table(
        (
            column(lambda row: row.outcome.name, key="name"),
            column(lambda row: row.outcome.title, title="pass", key="title", small=done, wrap=False),
            column(lambda row: row.outcome.meaning, title="the network is then", key="meaning", wrap=False),
            *_decision_columns(report),
            column(lambda row: row.change, wording.points, page="points", kind="number", missing=""),
            column(lambda row: None, page="", bars=lambda row: ((max(0.0, row.value), "share"),)),
            column(lambda row: row.outcome.changed, key="changed"),
            column(
                lambda row: row.outcome.seconds,
                wording.decimals(2),
                page=None if report.replayed else "seconds",
                key="seconds",
                kind="number",
                missing="",
            ),
            column(lambda row: row.outcome.figures or {}, key="figures"),
        ),
        [row for row in rows if row.outcome.changed or not changed],
    )


def steps_table(report: Report) -> Table[StepOutcome]:
    """Return the network after fewer steps."""
    return Table(
        (
            column(lambda row: row.steps, wording.count, title="steps", key="steps", kind="number"),
            *_decision_columns(report),
            column(lambda row: row.spikes, wording.whole, title="spikes", key="spikes", kind="number"),
            column(
                lambda row: row.operations, wording.whole, title="synaptic operations", key="operations", kind="number"
            ),
        ),
        report.steps,
    )


def _decision_columns(report: ConversionReport) -> tuple[Column[_Decides], ...]:
    """Return accuracy and agreement with the ANN, or of values R squared; without labels the page has no accuracy."""
    if report.task == "values":
        return (
            column(lambda row: row.accuracy, share, key="accuracy", kind="number"),
            column(
                lambda row: row.agreement,
                wording.decimals(4),
                screen="R squared to the ANN",
                page="R squared to the ANN",
                key="agreement",
                kind="number",
            ),
        )
    return (
        column(
            lambda row: row.accuracy,
            share,
            screen="accuracy",
            page="accuracy, %" if report.labelled else None,
            write_on_page=wording.percent,
            key="accuracy",
            kind="number",
        ),
        column(
            lambda row: row.agreement,
            share,
            screen="the ANN's prediction",
            page="as the ANN, %",
            write_on_page=wording.percent,
            key="agreement",
            kind="number",
        ),
    )


def evidence_table(report: Report) -> Table[LayerEvidence]:
    """Return the rates of the layers beside the ANN's activations, with their errors by cause."""
    largest = max((sum(_parts(each)) for each in report.layers), default=0.0) or 1.0

    def bars(row: LayerEvidence) -> Bars:
        return tuple(zip((part / largest for part in _parts(row)), CAUSES, strict=False))

    def error(
        name: str, value: Callable[[LayerErrors], float], write: Callable[[float], str] = wording.percent
    ) -> Column[LayerEvidence]:
        return column(lambda row: value(row.errors) if row.errors else None, write, page=name, kind="number")

    return Table(
        (
            column(lambda row: row.layer.name, key="name"),
            column(lambda row: row.layer, wording.layer, page="layer", kind="name"),
            column(
                lambda row: row.comparison.correlation if row.comparison else None,
                wording.decimals(4),
                page="correlation",
                key="correlation",
                kind="number",
            ),
            column(lambda row: row.errors, key="errors"),
            error("error", lambda errors: errors.total),
            error("clipped", lambda errors: errors.clipped),
            error("rounded", lambda errors: errors.rounded),
            error("received", lambda errors: errors.received),
            column(lambda row: None, page="", bars=bars),
            error("shift", lambda errors: errors.shift, wording.points),
            column(lambda row: float(row.firing.mean()), wording.decimals(3), page="rate", key="rate", kind="number"),
            column(lambda row: row.dead, wording.percent, page="dead", key="dead", kind="number"),
            error("silent", lambda errors: errors.silent),
            column(lambda row: row.saturated, wording.percent, page="always firing", key="saturated", kind="number"),
            error("saturated", lambda errors: errors.saturated),
        ),
        report.layers,
    )


def _parts(row: LayerEvidence) -> tuple[float, ...]:
    """Return a layer's error by cause; nothing where no value of the ANN corresponds to it."""
    errors = row.errors
    return (errors.clipped, errors.rounded, errors.received) if errors else ()


def bounds_table(report: SigmaDeltaReport) -> Table[LayerComparison]:
    """Return the layers' values beside the ANN's activations, with how far rounding can take them."""
    layers: dict[str, NeuronLayer] = {layer.name: layer for layer in report.program.layers}
    messages = {
        layer.name: sent / report.samples / layer.neurons
        for layer, sent in zip(report.program.spiking_layers, report.counts.spikes, strict=True)
    }
    return Table(
        (
            column(lambda row: wording.layer(layers[row.name]), title="layer", kind="name"),
            *message_columns(),
            column(
                lambda row: None if row.bound is None else row.out_of_bound,
                wording.count,
                title="out of bound",
                kind="number",
            ),
            column(lambda row: messages.get(row.name), wording.decimals(3), title="messages per neuron", kind="number"),
            *RECORDED,
        ),
        report.layers,
    )


def energy_table(report: ConversionReport) -> Table[LayerEnergy]:
    """Return what is sent, operations and energy of SNN and ANN, layer by layer, for one sample."""
    layers = energy_of_layers(report.program, report.counts)
    sent = [each.spikes for each in layers if each.spikes is not None]
    columns: list[Column[LayerEnergy]] = [
        column(lambda row: row.name, title="layer", key="name", kind="name", total="all layers"),
        column(
            lambda row: row.spikes,
            wording.whole,
            title=report.program.wording.sent,
            key="spikes",
            kind="number",
            total=sum(sent) if sent else None,
        ),
        column(
            lambda row: row.operations,
            wording.whole,
            title="synaptic operations",
            key="operations",
            kind="number",
            total=sum(each.operations for each in layers),
        ),
        column(
            lambda row: row.macs,
            wording.whole,
            title="ANN multiply-accumulates",
            key="macs",
            kind="number",
            total=sum(each.macs for each in layers),
        ),
    ]
    for model in ENERGY_MODELS:
        columns += _energy_columns(layers, model)
    return Table(
        (*columns, column(lambda row: row.snn, key="snn"), column(lambda row: row.ann, key="ann")),
        layers,
    )


def _energy_columns(layers: Sequence[LayerEnergy], model: EnergyModel) -> Iterator[Column[LayerEnergy]]:
    """Yield energy by a model: of the SNN, and of the ANN where the model defines it."""
    name = model.name
    yield column(
        lambda row: row.snn[name],
        wording.joules,
        title=f"SNN, {name}",
        kind="number",
        total=sum(each.snn[name] for each in layers),
    )
    if model.joules_per_flop is not None:
        yield column(
            lambda row: row.ann[name] or 0.0,
            wording.joules,
            title=f"ANN, {name}",
            kind="number",
            total=sum(each.ann[name] or 0.0 for each in layers),
        )


def outcome_line(report: ConversionReport) -> str:
    """Return ``on 256 samples of digits: ANN 98.44 %, SNN 97.66 %, the same prediction for 98.83 %``."""
    ann, snn = report.ann, report.network
    if report.task == "values":
        errors = ""
        if ann.error is not None and snn.error is not None:
            errors = f"; from the targets: SNN {snn.error.sentence}; ANN {ann.error.sentence}"
        return (
            f"on {report.samples:,} samples of {report.data}: outputs of the SNN against the ANN's: "
            f"R squared {snn.agreement:.4f}{errors}"
        )
    accuracies = ""
    if ann.accuracy is not None and snn.accuracy is not None:
        accuracies = f"ANN {share(ann.accuracy)}, SNN {share(snn.accuracy)}, "
    return f"on {report.samples:,} samples of {report.data}: {accuracies}the same prediction for {share(snn.agreement)}"


def report_json(report: ConversionReport) -> Json:
    """Return what was measured as a JSON object; the drawn activations are left out."""
    return {
        "verdict": verdict_json(report.program.provenance.verdict),
        "samples": report.samples,
        "data": report.data,
        "task": report.task,
        "samples_calibrated_on": report.shared,
        "clipped": report.clipped,
        "passes": passes_table(report).records(),
        "energy": energy_table(report).records(),
        **own_json(report),
    }


@singledispatch
def own_json(report: ConversionReport) -> Json:
    """Return what JSON has of one kind of neurons alone."""
    raise NotImplementedError(type(report).__name__)


@own_json.register
def _(report: Report) -> Json:
    return {
        "steps": steps_table(report).records(),
        "layers": evidence_table(report).records(),
        "diagnosis": diagnosis_json(report.diagnosis),
    }


@own_json.register
def _(report: SigmaDeltaReport) -> Json:
    return {
        "layers": bounds_table(report).records(),
        "findings": plain(report.findings),
        "notes": plain(report.notes),
    }
