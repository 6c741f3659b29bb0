"""A diagnosis for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from snnc.analysis.diagnosis.diagnose import Diagnosis
from snnc.reporting.table import plain_table
from snnc.reporting.wording import share

Form = dict[str, object]


def stages_table(diagnosis: Diagnosis) -> RenderableType:
    """What is left of the accuracy, step by step."""
    table = plain_table()
    table.add_column("from the ANN to spikes", no_wrap=True)
    for title in ("accuracy", "the ANN's prediction"):
        table.add_column(title, justify="right")
    for stage in diagnosis.stages:
        table.add_row(stage.name, "-" if stage.accuracy is None else share(stage.accuracy), share(stage.agreement))
    return Group("", table)


def layers_table(diagnosis: Diagnosis) -> RenderableType:
    """The layers' errors, the largest first."""
    table = plain_table()
    table.add_column("layer, worst first", no_wrap=True)
    for title in ("error", "clipped", "rounded", "received", "shift", "silent", "saturated", "spikes"):
        table.add_column(title, justify="right")
    for layer in diagnosis.worst_first:
        figures = (layer.total, layer.clipped, layer.rounded, layer.received)
        table.add_row(
            layer.name,
            *(f"{100 * figure:.1f}" for figure in figures),
            f"{100 * layer.shift:+.1f}",
            f"{100 * layer.silent:.1f}",
            f"{100 * layer.saturated:.1f}",
            f"{layer.rate:.3f}",
        )
    legend = (
        "error of the rates and its parts in % of the ANN's activations: clipped above Vth, rounded to T + 1 levels, "
        "received (spikes that come unevenly, errors of the layers before, integer weights); shift: mean error; "
        "silent: % of neurons that the ANN activates and that never fire; saturated: % that fire in every step; "
        "spikes for each neuron and step"
    )
    return Group("", table, Text(legend, style="dim"))


def finding_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """What is wrong and what to try, numbered."""
    if not diagnosis.findings:
        yield "nothing stands out"
    for number, finding in enumerate(diagnosis.findings, start=1):
        where = f"{finding.where}: " if finding.where else ""
        yield f"{number}. {where}{finding.what}"
        yield f"   try: {finding.advice}"


def diagnosis_form(diagnosis: Diagnosis) -> Form:
    """The diagnosis as a JSON object."""
    return {
        "samples": diagnosis.samples,
        "stages": [asdict(stage) for stage in diagnosis.stages],
        "layers": [asdict(layer) for layer in diagnosis.layers],
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "notes": list(diagnosis.notes),
    }
