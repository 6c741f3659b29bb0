"""Measuring a report of whatever neurons."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from snnc.compiler.ir.passes import PassRecord
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.reporting.conversion.collect import Advance, Report, collect_report
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport, collect_sigma_delta_report


def measure_report(
    program: CompiledNetwork,
    module: nn.Module,
    dataset: Dataset,
    *,
    records: Sequence[PassRecord] | None = None,
    calibration: Dataset | None = None,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    advance: Advance | None = None,
) -> Report | SigmaDeltaReport:
    """Measures what a report tells; arguments and errors are those of :func:`collect_report`."""
    if isinstance(program, SigmaDeltaProgram):
        return collect_sigma_delta_report(
            program, module, dataset, records=records, calibration=calibration, device=device, memory=memory,
            advance=advance,
        )  # fmt: skip
    assert isinstance(program, Program)
    return collect_report(
        program, module, dataset, records=records, calibration=calibration, device=device, memory=memory,
        advance=advance,
    )  # fmt: skip
