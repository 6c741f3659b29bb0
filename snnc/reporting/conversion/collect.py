"""Measuring all that a report tells: ANN and simulator side by side, once, and then pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.analysis.diagnosis import Diagnosis, Finding, Stage, diagnose_program
from snnc.analysis.thresholds import LayerThresholds, program_thresholds
from snnc.analysis.validation.pairs import Pair
from snnc.compiler.ir.passes import PassRecord
from snnc.inputs.data import input_levels
from snnc.models.data import Dataset
from snnc.program import Program
from snnc.reporting.conversion.layers import LayerEvidence, LayerWatch
from snnc.reporting.conversion.outcomes import (
    PassOutcome,
    StepOutcome,
    led_runs,
    pass_outcomes,
    pass_predictions,
    replayed_passes,
    step_outcomes,
    stops,
)
from snnc.runtime.energy import OperationCounts, count_operations
from snnc.runtime.result import RunResult, join_results

# Told what happens, how much of it is done, and how much there is.
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Report:
    """What was measured.

    Attributes:
        program: The program.
        data: What the samples are called.
        labelled: Whether the right classes are known.
        diagnosis: What the conversion loses, and what stands out.
        layers: Each spiking layer.
        passes: The network after each pass, the model itself first and the program last.
        steps: The network after fewer steps, T last.
        counts: Operations.
        clipped: Share of the input values outside what the calibration data spanned, 0..1.
        replayed: Whether the passes were run again from the .net file, and not while it was compiled.
        shared: Of the samples, how many the program was calibrated on; None where that is not known.
    """

    program: Program
    data: str
    labelled: bool
    diagnosis: Diagnosis
    layers: tuple[LayerEvidence, ...]
    passes: tuple[PassOutcome, ...]
    steps: tuple[StepOutcome, ...]
    counts: OperationCounts
    clipped: float
    replayed: bool
    shared: int | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.diagnosis.samples

    @property
    def ann(self) -> Stage:
        """How well the ANN decides."""
        return self.diagnosis.stages[0]

    @property
    def network(self) -> Stage:
        """How well the spiking network decides."""
        return self.diagnosis.stages[-1]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in words; none where nothing stands out."""
        return self.diagnosis.findings

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was measured, one sentence each."""
        return self.diagnosis.notes


def collect_report(
    program: Program,
    module: nn.Module,
    dataset: Dataset,
    *,
    records: Sequence[PassRecord] | None = None,
    calibration: Dataset | None = None,
    device: str | torch.device = "cpu",
    memory: int | None = None,
    advance: Advance | None = None,
) -> Report:
    """Measures what a report tells.

    Args:
        program: The program.
        module: The network that it was compiled from.
        dataset: At least one sample, better some hundreds; with labels, accuracies are told beside the agreement with
            the ANN.
        records: What each pass did as the program was compiled; None: as far as they can, passes are run again.
        calibration: What the program was calibrated on, to tell how many of the samples are among it; None: not told.
        device: Where the simulator computes, as torch names it.
        memory: Bytes that it may take for what it computes at once; None: what is fastest.
        advance: Told of the progress.

    Raises:
        DataError: The data do not fit the network.
        ModelError: The module is not the network that the program was compiled from.
    """
    advance = advance or (lambda _title, _done, _total: None)
    total = len(dataset)
    # First of all, since it finds out whether the module is the right one.
    passes = tuple(records) if records else replayed_passes(program, module)
    levels = input_levels(program, dataset)
    watch = _Watch(program, total)
    diagnosis = diagnose_program(
        program,
        module,
        dataset,
        device=device,
        memory=memory,
        stop_at=() if program.lead else stops(program.timesteps),
        watch=watch.add,
        advance=lambda done, _: advance("comparing ANN and spikes", done, total),
    )
    result = join_results(watch.results)
    thresholds = program_thresholds(
        program, module, dataset, advance=lambda done: advance("sorting activations", done, total)
    )
    ann = np.concatenate(watch.ann)
    runs = {**result.earlier, program.timesteps: result}
    if program.lead:
        runs |= led_runs(program, levels.values, device=device, memory=memory)
    last = records[-1] if records else None
    replayed = len(passes) if last is None else len(passes) - 1
    predictions = pass_predictions(
        program,
        passes[:replayed],
        torch.cat(watch.images),
        levels.values,
        device=device,
        memory=memory,
        advance=lambda done: advance("running the network after each pass", done, replayed),
    )
    return Report(
        program=program,
        data=dataset.name,
        labelled=dataset.labels is not None,
        diagnosis=diagnosis,
        layers=_layers(program, result, diagnosis, watch.layers, thresholds),
        passes=pass_outcomes(predictions, last, result.predictions, ann, dataset.labels),
        steps=step_outcomes(program, runs, ann, dataset.labels),
        counts=count_operations(program, result),
        clipped=levels.clipped,
        replayed=last is None,
        shared=None
        if calibration is None
        else shared_samples(levels.values, input_levels(program, calibration).values),
    )


def _layers(
    program: Program,
    result: RunResult,
    diagnosis: Diagnosis,
    watch: LayerWatch,
    thresholds: Sequence[LayerThresholds],
) -> tuple[LayerEvidence, ...]:
    errors = {each.name: each for each in diagnosis.layers}
    sorted_activations = {each.name: each for each in thresholds}
    return tuple(
        LayerEvidence(
            layer=layer,
            timesteps=program.timesteps,
            firing=fired.ravel() / (program.timesteps * result.samples),
            errors=errors.get(layer.name),
            comparison=watch.comparison(layer.name),
            scatter=watch.scatter(layer.name),
            thresholds=sorted_activations.get(layer.name),
        )
        for layer, fired in zip(program.spiking_layers, result.spike_counts, strict=True)
    )


class _Watch:
    """Keeps what the report needs of each batch."""

    def __init__(self, program: Program, samples: int) -> None:
        self.layers = LayerWatch(program, samples)
        self.results: list[RunResult] = []
        self.ann: list[NDArray[np.int64]] = []
        self.images: list[torch.Tensor] = []

    def add(self, pair: Pair) -> None:
        self.layers.add(pair)
        # Every spike of every batch would fill the memory.
        self.results.append(replace(pair.result, spikes=None))
        self.ann.append(pair.outputs.argmax(axis=1))
        self.images.append(pair.images)


def shared_samples(levels: NDArray[np.uint8], calibration: NDArray[np.uint8]) -> int:
    """How many samples are among those of the calibration data, value by value."""
    known = {each.tobytes() for each in calibration}
    return sum(each.tobytes() in known for each in levels)
