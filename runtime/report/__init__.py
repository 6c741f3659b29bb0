"""Programs and runs as tables for people, as JSON for programs, and as a page."""

from snnc.runtime.report.placement_picture import plot_placement
from snnc.runtime.report.placement_table import placement_table
from snnc.runtime.report.program_form import program_form
from snnc.runtime.report.program_table import program_table
from snnc.runtime.report.run_form import run_form
from snnc.runtime.report.run_table import earlier_table, energy_table, run_table

__all__ = [
    "earlier_table",
    "energy_table",
    "placement_table",
    "plot_placement",
    "program_form",
    "program_table",
    "run_form",
    "run_table",
]
