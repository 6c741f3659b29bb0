"""The whole way from a module and calibration data to a program: front, conversion, quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.common.progress import Progress, Unheard
from snnc.compiler.compilation import Compilation, count_macs, provenance_of
from snnc.compiler.conversion.assign import AssignLearnedThresholds, AssignThresholds, ThresholdOutcome
from snnc.compiler.conversion.choose_max_pooling import MaxPoolingChoices, choose_max_pooling, named_max_pooling
from snnc.compiler.conversion.choose_thresholds import ChooseThresholds, candidates
from snnc.compiler.conversion.methods import LEARNED
from snnc.compiler.front import Front, front
from snnc.compiler.ir import Graph
from snnc.compiler.ir.passes import Pass, PassManager, PassRecord
from snnc.compiler.lowering.max_pooling import MaxPooling
from snnc.compiler.options import AUTOMATIC, CompileOptions
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.integers import IntegerSearch
from snnc.compiler.search import Judge
from snnc.program import InputCoding, Program


@dataclass(frozen=True, eq=False)
class Converted:
    """A network whose layers have thresholds; several quantisations can begin from one.

    Attributes:
        front: What it was made of.
        options: What it was made for.
        graph: Spiking layers with thresholds.
        outcome: How they were chosen.
        record: What the pass did that chose them.
    """

    front: Front
    options: CompileOptions
    graph: Graph
    outcome: ThresholdOutcome
    record: PassRecord


def compile_module(
    module: nn.Module | Graph,
    raw: NDArray[np.generic],
    options: CompileOptions,
    *,
    unit: float | None = None,
    progress: Progress = Unheard(),
    processes: Processes | None = None,
    judge: Judge | None = None,
) -> Compilation[Program]:
    """Compile a module.

    Args:
        module: The trained network, or its traced graph.
        raw: Calibration data in raw values, (samples, channels, height, width) or (samples, features); finite.
        options: What to make.
        unit: Value of one step of the raw values where they are known to be multiples of it from 0 on.
        progress: Told of each pass as it begins, and how many calibration samples were profiled.
        processes: Those that share the profiling; all of them call this with the same arguments and get the same.
        judge: Decides between the candidates of all searches.

    Raises:
        SnncError: Anything that the user can mend.
    """
    made = profile(module, raw, options, unit=unit, progress=progress, processes=processes, judge=judge)
    return quantise(convert(made, options, progress=progress, judge=judge), progress=progress, judge=judge)


def profile(
    network: nn.Module | Graph,
    raw: NDArray[np.generic],
    options: CompileOptions,
    *,
    unit: float | None = None,
    progress: Progress = Unheard(),
    processes: Processes | None = None,
    judge: Judge | None = None,
) -> Front:
    """Trace, lower and profile a network; arguments as for :func:`compile_module`.

    Raises:
        SnncError: Anything that the user can mend.
    """
    return front(
        network,
        raw,
        options.check(),
        partial(max_pooling, options=options, judge=judge),
        mean=options.means,
        std=options.stds,
        unit=unit,
        lead=options.lead,
        progress=progress,
        processes=processes,
    )


def convert(
    made: Front, options: CompileOptions, *, progress: Progress = Unheard(), judge: Judge | None = None
) -> Converted:
    """Give each layer of a profiled network its thresholds and initial potentials.

    Args:
        made: The network.
        options: What to make.
        progress: Told of the pass as it begins.
        judge: Decides between candidates.

    Raises:
        SnncError: Anything that the user can mend.
    """
    manager = PassManager([threshold_pass(options, made.levels, made.coding, judge)], progress)
    graph = manager.run(made.graph).graph
    (record,) = manager.records
    assert isinstance(record.result.outcome, ThresholdOutcome)
    return Converted(made, options, graph, record.result.outcome, record)


def quantise(
    converted: Converted, *, progress: Progress = Unheard(), judge: Judge | None = None
) -> Compilation[Program]:
    """Write a converted network in the chip's integers.

    Args:
        converted: The network.
        progress: Told of each pass as it begins.
        judge: Decides between candidates.

    Raises:
        SnncError: Anything that the user can mend.
    """
    options, made = converted.options, converted.front
    target = options.check()
    integers = IntegerSearch(
        converted.graph,
        made.coding,
        made.levels,
        count_macs(made.traced),
        target,
        options.steps,
        corrections=options.corrections,
        lead=options.lead,
        strict=options.strict,
        progress=progress,
        judge=judge,
    ).fitting()
    notes = (*made.notes, *converted.outcome.notes, *integers.outcome.notes)
    corrections = integers.outcome.corrections
    provenance = provenance_of(
        made.traced,
        made.levels,
        options.recorded(),
        notes=notes,
        thresholds=converted.outcome.choice,
        pooling=[each.recorded for each in made.pooling.chosen],
        scale=integers.outcome.recorded,
        corrections=corrections.recorded if corrections else None,
    )
    program = replaced(integers.program, provenance=provenance)
    records = (*made.records, converted.record, *integers.records)
    return Compilation(program, records).placed(target, allow_oversize=options.allow_oversize)


def max_pooling(
    traced: Graph, coding: InputCoding, levels: NDArray[np.uint8], options: CompileOptions, judge: Judge | None = None
) -> MaxPoolingChoices:
    """Return how each maximum pooling of a network is written for spikes, as the options say."""
    if options.max_pool == AUTOMATIC:
        return choose_max_pooling(traced, coding, levels, _one_way(options), options.steps, options.lead, judge)
    return named_max_pooling(traced, cast(MaxPooling, options.max_pool))


def threshold_pass(
    options: CompileOptions, levels: NDArray[np.uint8], coding: InputCoding, judge: Judge | None = None
) -> Pass:
    """Return the pass that gives each layer its thresholds and initial potentials, as the options say.

    Args:
        options: What to make.
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become the first layer's input.
        judge: Decides between candidates.
    """
    if options.threshold == AUTOMATIC:
        return ChooseThresholds(
            levels,
            coding,
            options.steps,
            per_channel=options.per_channel,
            corrections=options.corrections,
            lead=options.lead,
            judge=judge,
        )
    return _one_way(options)


def _one_way(options: CompileOptions) -> Pass:
    """Return the pass that assigns thresholds without trying several; where several are wanted, the first of these."""
    if options.threshold == LEARNED:
        return AssignLearnedThresholds(options.steps)
    method = options.threshold
    objective: int = options.objective
    if method == AUTOMATIC:
        _, method, objective = candidates()[0]
    return AssignThresholds(options.steps, method, per_channel=options.per_channel, objective=objective)
