"""All that one wants to know of a conversion, measured and as one page."""

from snnc.reporting.collect import Report, collect_report
from snnc.reporting.layer_evidence import LayerEvidence
from snnc.reporting.page import write_report
from snnc.reporting.pass_outcomes import PassOutcome
from snnc.reporting.reproduce import Sources
from snnc.reporting.step_outcomes import StepOutcome

__all__ = ["LayerEvidence", "PassOutcome", "Report", "Sources", "StepOutcome", "collect_report", "write_report"]
