"""All that one wants to know of a conversion, measured and as one page."""

from snnc.reporting.collect import Report, collect_report
from snnc.reporting.layer_evidence import LayerEvidence
from snnc.reporting.measure import measure_report
from snnc.reporting.page import write_report
from snnc.reporting.pass_outcomes import PassOutcome
from snnc.reporting.reproduce import Sources
from snnc.reporting.sigma_delta_report import SigmaDeltaReport
from snnc.reporting.step_outcomes import StepOutcome

__all__ = [
    "LayerEvidence",
    "PassOutcome",
    "Report",
    "SigmaDeltaReport",
    "Sources",
    "StepOutcome",
    "collect_report",
    "measure_report",
    "write_report",
]
