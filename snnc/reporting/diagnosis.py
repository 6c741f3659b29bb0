"""A diagnosis as tables, in words and as a JSON object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from snnc.analysis.diagnosis import Diagnosis, Finding, LayerErrors, Stage
from snnc.reporting import wording
from snnc.reporting.table import Json, Table, column, plain


def stages_table(diagnosis: Diagnosis) -> Table[Stage]:
    """Return what is left of the accuracy, or of values of R squared, step by step."""
    values = diagnosis.task == "values"
    return Table(
        (
            column(lambda stage: stage.name, title="from the ANN to spikes", key="name", kind="name"),
            column(lambda stage: stage.accuracy, wording.share, title="accuracy", key="accuracy", kind="number"),
            column(
                lambda stage: stage.agreement,
                wording.decimals(4) if values else wording.share,
                title="R squared" if values else "the ANN's prediction",
                key="agreement",
                kind="number",
            ),
            column(
                lambda stage: stage.error.rmse if stage.error else None,
                wording.significant(4),
                title="RMSE of targets" if values else None,
                key="rmse",
                kind="number",
            ),
        ),
        diagnosis.stages,
    )


def layer_errors_table(layers: Sequence[LayerErrors]) -> Table[LayerErrors]:
    """Return the errors of layers by cause."""
    return Table(
        (
            column(lambda layer: layer.name, title="layer, worst first", key="name", kind="name"),
            column(lambda layer: layer.where, key="where"),
            column(lambda layer: layer.total, wording.percent, title="error", key="total", kind="number"),
            column(lambda layer: layer.clipped, wording.percent, title="clipped", key="clipped", kind="number"),
            column(lambda layer: layer.rounded, wording.percent, title="rounded", key="rounded", kind="number"),
            column(lambda layer: layer.received, wording.percent, title="received", key="received", kind="number"),
            column(lambda layer: layer.shift, wording.points, title="shift", key="shift", kind="number"),
            column(lambda layer: layer.silent, wording.percent, title="silent", key="silent", kind="number"),
            column(lambda layer: layer.saturated, wording.percent, title="saturated", key="saturated", kind="number"),
            column(lambda layer: layer.rate, wording.decimals(3), title="spikes", key="rate", kind="number"),
            column(lambda layer: layer.largest_weight, key="largest_weight"),
            column(lambda layer: layer.memoryless, key="memoryless"),
        ),
        layers,
        legend="error of the rates and its parts in % of the ANN's activations: clipped above Vth, rounded to T + 1 "
        "levels, received (spikes that come unevenly, errors of the layers before, integer weights); shift: mean "
        "error; silent: % of neurons that the ANN activates and that never fire; saturated: % that fire in every "
        "step; spikes for each neuron and step",
    )


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what is wrong and what to try, numbered."""
    number = 0
    for number, finding in enumerate(findings, start=1):
        where = f"{finding.where}: " if finding.where else ""
        yield f"{number}. {where}{finding.what}"
        if finding.advice:
            yield f"   try: {finding.advice}"
    if not number:
        yield "nothing stands out"


def diagnosis_json(diagnosis: Diagnosis) -> Json:
    """Return the diagnosis as a JSON object."""
    return {
        "samples": diagnosis.samples,
        "task": diagnosis.task,
        "stages": stages_table(diagnosis).records(),
        "layers": layer_errors_table(diagnosis.layers).records(),
        "findings": plain(diagnosis.findings),
        "notes": plain(diagnosis.notes),
    }
