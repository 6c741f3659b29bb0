"""All that one wants to know of a conversion, measured and as one page."""

from snnc.reporting.collect import Report, collect_report
from snnc.reporting.measure import measure_report
from snnc.reporting.page import write_report
from snnc.reporting.reproduce import Sources
from snnc.reporting.sigma_delta_report import SigmaDeltaReport

__all__ = ["Report", "SigmaDeltaReport", "Sources", "collect_report", "measure_report", "write_report"]
