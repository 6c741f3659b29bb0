"""All that one wants to know of a conversion, measured and as one page."""

from snnc.reporting.collect import Report, collect_report
from snnc.reporting.page import write_report
from snnc.reporting.reproduce import Sources

__all__ = ["Report", "Sources", "collect_report", "write_report"]
