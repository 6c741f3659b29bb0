"""A report for the terminal and for programs."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Group, RenderableType

from snnc.reporting.conversion.collect import Report
from snnc.reporting.conversion.layers import energy_of_layers
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.diagnosis import diagnosis_form
from snnc.reporting.table import plain_table
from snnc.reporting.wording import share

Form = dict[str, object]


def passes_table(report: Report | SigmaDeltaReport) -> RenderableType:
    """The network after each pass that changed it."""
    table = plain_table()
    table.add_column("pass", no_wrap=True)
    table.add_column("the network is then", no_wrap=True)
    for title in ("accuracy", "the ANN's prediction"):
        table.add_column(title, justify="right")
    for each in report.passes:
        if each.changed:
            accuracy = "-" if each.accuracy is None else share(each.accuracy)
            table.add_row(each.title, each.meaning, accuracy, share(each.agreement))
    return Group("", table)


def outcome_line(report: Report | SigmaDeltaReport) -> str:
    """``on 256 samples of digits: ANN 98.44 %, SNN 97.66 %, the same prediction for 98.83 %``."""
    ann, snn = report.ann, report.network
    accuracies = ""
    if ann.accuracy is not None and snn.accuracy is not None:
        accuracies = f"ANN {share(ann.accuracy)}, SNN {share(snn.accuracy)}, "
    return f"on {report.samples:,} samples of {report.data}: {accuracies}the same prediction for {share(snn.agreement)}"


def report_form(report: Report | SigmaDeltaReport) -> Form:
    """What was measured as a JSON object; the drawn activations are left out."""
    common: Form = {
        "samples": report.samples,
        "data": report.data,
        "samples_calibrated_on": report.shared,
        "clipped": report.clipped,
        "passes": [{**asdict(each), "figures": dict(each.figures or {})} for each in report.passes],
    }
    energy = [asdict(each) for each in energy_of_layers(report.program, report.counts)]
    if isinstance(report, SigmaDeltaReport):
        return {
            **common,
            "layers": [asdict(each) for each in report.layers],
            "energy": energy,
            "findings": [asdict(each) for each in report.findings],
            "notes": list(report.notes),
        }
    return {
        **common,
        "steps": [asdict(each) for each in report.steps],
        "layers": [
            {
                "name": each.layer.name,
                "correlation": each.comparison.correlation if each.comparison else None,
                "errors": asdict(each.errors) if each.errors else None,
                "rate": float(each.firing.mean()),
                "dead": each.dead,
                "saturated": each.saturated,
            }
            for each in report.layers
        ],
        "energy": energy,
        "diagnosis": diagnosis_form(report.diagnosis),
    }
