"""Measuring all that a report tells: ANN and simulator side by side, once, and then pass by pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.conversion.measured import Measurement
from snnc.analysis.conversion.passes import pass_outcomes, pass_outputs
from snnc.analysis.conversion.sigma_delta import SigmaDeltaMeasurement, SigmaDeltaReport
from snnc.analysis.conversion.spiking import Report, SpikingMeasurement
from snnc.common.progress import Progress, Unheard
from snnc.compiler.ir.passes import PassRecord
from snnc.inputs.data import input_levels
from snnc.models.data import Dataset
from snnc.program import CompiledNetwork, Program, SigmaDeltaProgram
from snnc.program.verdict import Task
from snnc.runtime.energy import count_operations


@singledispatch
def measurement(
    program: CompiledNetwork, module: nn.Module, dataset: Dataset, **settings: Any
) -> Measurement[Any, Report | SigmaDeltaReport]:
    """Return what measures a program, by the kind of its neurons; arguments are those of :class:`Measurement`."""
    raise NotImplementedError(type(program).__name__)


measurement.register(Program, SpikingMeasurement)
measurement.register(SigmaDeltaProgram, SigmaDeltaMeasurement)


def measure_report(
    program: CompiledNetwork,
    module: nn.Module,
    dataset: Dataset,
    *,
    records: Sequence[PassRecord] | None = None,
    calibration: Dataset | None = None,
    task: Task | None = None,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    progress: Progress = Unheard(),
) -> Report | SigmaDeltaReport:
    """Measure what a report tells.

    Args:
        program: The program.
        module: The network that it was compiled from.
        dataset: At least one sample, better some hundreds; with labels, accuracies are told beside the agreement with
            the ANN.
        records: What each pass did as the program was compiled; None: as far as they can, passes are run again.
        calibration: What the program was calibrated on, to tell how many of the samples are among it; None: not told.
        task: What the outputs mean; None: as :func:`snnc.inputs.tasks.matched` finds it.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
        progress: Told what happens, how much of it is done, and how much there is.

    Raises:
        DataError: The data do not fit the network.
        ModelError: The module is not the network that the program was compiled from.
    """
    kind = measurement(program, module, dataset, task=task, device=device, memory=memory, progress=progress)
    # First of all, since it finds out whether the module is the right one.
    passes = tuple(records) if records else kind.replayed_passes()
    last = records[-1] if records else None
    before = passes if last is None else passes[:-1]
    levels = kind.levels
    kind.compare()
    result, stages = kind.result, kind.stages()
    outputs = pass_outputs(stages, before, kind.images, progress)
    return kind.report(
        {
            "data": dataset.name,
            "task": kind.match.task,
            "labelled": kind.dataset.labels is not None,
            "passes": pass_outcomes(
                outputs, last, result.outputs(program), kind.ann, kind.match, meaning=stages.integers
            ),
            "counts": count_operations(program, result),
            "clipped": levels.clipped,
            "replayed": last is None,
            "shared": None
            if calibration is None
            else shared_samples(levels.values, input_levels(program, calibration).values),
        }
    )


def shared_samples(levels: NDArray[np.uint8], calibration: NDArray[np.uint8]) -> int:
    """Return how many samples are among those of the calibration data, value by value."""
    known = {each.tobytes() for each in calibration}
    return sum(each.tobytes() in known for each in levels)
