"""All that one wants to know of a conversion, measured and as one page."""

from snnc.reporting.conversion.collect import Report, collect_report
from snnc.reporting.conversion.layers import LayerEvidence
from snnc.reporting.conversion.measure import measure_report
from snnc.reporting.conversion.outcomes import PassOutcome, StepOutcome
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.page.page import write_report
from snnc.reporting.page.reproduce import Sources

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
