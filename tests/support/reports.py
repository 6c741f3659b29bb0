"""Reports as the tests make them."""

from __future__ import annotations

from torch import nn

from snnc.analysis.conversion import Report, measure_report
from snnc.models.data import Dataset
from snnc.program import Program


def measured(program: Program, module: nn.Module, data: Dataset) -> Report:
    """What was measured of a spiking network."""
    found = measure_report(program, module, data)
    assert isinstance(found, Report)
    return found
