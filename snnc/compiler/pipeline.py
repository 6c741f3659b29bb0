"""The whole way from a module and calibration data to a program: front, conversion, quantisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.common.errors import OptionError
from snnc.compiler.compilation import Compilation, count_macs, provenance_of, recorded_options
from snnc.compiler.conversion.assign import LEARNED, AssignLearnedThresholds, AssignThresholds, ThresholdOutcome
from snnc.compiler.conversion.calibration.corrections import ALL, CORRECTIONS
from snnc.compiler.conversion.choose_max_pooling import MaxPoolingChoices, choose_max_pooling, named_max_pooling
from snnc.compiler.conversion.choose_thresholds import AUTOMATIC, ChooseThresholds, candidates
from snnc.compiler.conversion.methods import METHODS, searches
from snnc.compiler.conversion.solver import OBJECTIVES
from snnc.compiler.front import Front, front
from snnc.compiler.ir import Graph
from snnc.compiler.ir.passes import Pass, PassManager, PassRecord, Progress
from snnc.compiler.lowering.max_pooling import MAX_POOLINGS, MaxPooling
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.integers import IntegerSearch
from snnc.compiler.quantization.membranes import check_target
from snnc.compiler.search import Judge
from snnc.program import InputCoding, Program
from snnc.program.targets import Target, get_target

TIMESTEPS_MAXIMUM = 1024


def threshold_names() -> tuple[str, ...]:
    """Return every way to choose thresholds: the best of several, the methods, or out of the network."""
    return (AUTOMATIC, *METHODS, LEARNED)


@dataclass(frozen=True)
class Options:
    """What shapes a compilation.

    Attributes:
        target: Name of the chip.
        timesteps: T, 1..1024.
        threshold: ``auto``, the best of several on the calibration data for the T, lead and corrections at hand; a key
            of ``snnc.compiler.conversion.methods.METHODS``; or ``learned``.
        per_channel: One threshold for each channel instead of one for each layer.
        max_pool: How maximum pooling is written for spikes: one of ``MAX_POOLINGS``, or ``auto``, the better of ``or``
            and ``exact`` on the calibration data for each.
        calibrate: Corrections of the layers from the calibration data: names among
            ``snnc.compiler.conversion.calibration.corrections.CORRECTIONS``.
        lead: k, 0..T: steps that each layer integrates its input before it may fire.
        objective: m, 1 or 2: thresholds that are searched for make the sum of |activation - rate| ** m least. Only some
            of the methods minimise anything, so that 2 is for them alone.
        allow_oversize: Go on where a layer fits no core of the chip, with a note: for simulators.
        strict: Only membranes that are proven to stay within the chip's range for any input; else an error.
        mean: Subtracted from raw data before the ANN saw them; one number, or one for each channel.
        std: Divided by after that.
    """

    target: str = "loihi"
    timesteps: int = 8
    threshold: str = AUTOMATIC
    per_channel: bool = True
    max_pool: str = AUTOMATIC
    objective: int = 1
    calibrate: tuple[str, ...] = ()
    lead: int = 0
    allow_oversize: bool = False
    strict: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def check(self) -> Target:
        """Return the target, if everything is in range.

        Raises:
            OptionError: An option is out of range.
            TargetError: There is no such target.
        """
        if not 1 <= self.timesteps <= TIMESTEPS_MAXIMUM:
            raise OptionError(
                "is out of range", where="timesteps (-T)", expected=f"1..{TIMESTEPS_MAXIMUM}", found=str(self.timesteps)
            )
        if not 0 <= self.lead <= self.timesteps:
            raise OptionError(
                "is out of range",
                where="lead (--lead)",
                expected=f"0..{self.timesteps}, which is T: a layer that waits longer learns nothing new",
                found=str(self.lead),
            )
        if self.threshold not in threshold_names():
            raise OptionError(
                "unknown method", where="threshold", expected=", ".join(threshold_names()), found=repr(self.threshold)
            )
        if self.max_pool not in (AUTOMATIC, *MAX_POOLINGS):
            raise OptionError(
                "unknown way of maximum pooling",
                where="max_pool (--max-pool)",
                expected=", ".join((AUTOMATIC, *MAX_POOLINGS)),
                found=repr(self.max_pool),
            )
        unknown = [name for name in self.calibrate if name not in CORRECTIONS]
        if unknown:
            raise OptionError(
                "unknown correction",
                where="calibrate (--calibrate)",
                expected=", ".join((*CORRECTIONS, ALL)),
                found=repr(unknown[0]),
            )
        if self.objective not in OBJECTIVES:
            raise OptionError(
                "is out of range",
                where="objective (--objective)",
                expected=" or ".join(map(str, OBJECTIVES)),
                found=str(self.objective),
            )
        if self.objective != 1 and self.threshold not in searches():
            raise OptionError(
                "is only for thresholds that are searched for; "
                + ("auto tries both" if self.threshold == AUTOMATIC else f"{self.threshold} minimises no error"),
                where="objective (--objective)",
                expected=f"--threshold {' or '.join(searches())}",
                found=f"{self.objective} with {self.threshold}",
            )
        return get_target(self.target)


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
    options: Options
    graph: Graph
    outcome: ThresholdOutcome
    record: PassRecord


def compile_module(
    module: nn.Module,
    raw: NDArray[np.generic],
    options: Options,
    *,
    unit: float | None = None,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
    processes: Processes | None = None,
    judge: Judge | None = None,
) -> Compilation[Program]:
    """Compile a module.

    Args:
        module: The trained network.
        raw: Calibration data in raw values, (samples, channels, height, width) or (samples, features); finite.
        options: What to make.
        unit: Value of one step of the raw values where they are known to be multiples of it from 0 on.
        progress: Told of each pass as it begins.
        advance: Told how many calibration samples were profiled.
        processes: Those that share the profiling; all of them call this with the same arguments and get the same.
        judge: Decides between the candidates of all searches.

    Raises:
        SnncError: Anything that the user can mend.
    """
    made = profile(
        module, raw, options, unit=unit, progress=progress, advance=advance, processes=processes, judge=judge
    )
    return quantise(convert(made, options, progress=progress, judge=judge), progress=progress, judge=judge)


def profile(
    network: nn.Module | Graph,
    raw: NDArray[np.generic],
    options: Options,
    *,
    unit: float | None = None,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
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
        mean=options.mean,
        std=options.std,
        unit=unit,
        lead=options.lead,
        progress=progress,
        advance=advance,
        processes=processes,
    )


def convert(
    made: Front, options: Options, *, progress: Progress | None = None, judge: Judge | None = None
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
    converted: Converted, *, progress: Progress | None = None, judge: Judge | None = None
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
        options.timesteps,
        corrections=options.calibrate,
        lead=options.lead,
        strict=options.strict,
        progress=progress,
        judge=judge,
    ).fitting()
    notes = (*made.notes, *converted.outcome.notes, *integers.outcome.notes)
    corrections = integers.outcome.corrections
    silent = ("allow_oversize", *(name for name in ("lead", "strict") if not getattr(options, name)))
    provenance = provenance_of(
        made.traced,
        made.levels,
        recorded_options(options, *silent),
        notes=notes,
        thresholds=converted.outcome.choice,
        pooling=[each.recorded for each in made.pooling.chosen],
        scale=integers.outcome.recorded,
        corrections=corrections.recorded if corrections else None,
    )
    program = replaced(integers.program, provenance=provenance)
    check_target(program, target)
    records = (*made.records, converted.record, *integers.records)
    return Compilation(program, records).placed(target, allow_oversize=options.allow_oversize)


def max_pooling(
    traced: Graph, coding: InputCoding, levels: NDArray[np.uint8], options: Options, judge: Judge | None = None
) -> MaxPoolingChoices:
    """Return how each maximum pooling of a network is written for spikes, as the options say."""
    if options.max_pool == AUTOMATIC:
        return choose_max_pooling(traced, coding, levels, _one_way(options), options.timesteps, options.lead, judge)
    return named_max_pooling(traced, cast(MaxPooling, options.max_pool))


def threshold_pass(
    options: Options, levels: NDArray[np.uint8], coding: InputCoding, judge: Judge | None = None
) -> Pass:
    """Return the pass that gives each layer its thresholds and initial potentials, as the options say.

    Args:
        options: What to make.
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become input.
        judge: Decides between candidates.
    """
    if options.threshold == AUTOMATIC:
        return ChooseThresholds(
            levels,
            coding,
            options.timesteps,
            per_channel=options.per_channel,
            corrections=options.calibrate,
            lead=options.lead,
            judge=judge,
        )
    return _one_way(options)


def _one_way(options: Options) -> Pass:
    """Thresholds without trying several; where several are to be tried, the first of these."""
    if options.threshold == LEARNED:
        return AssignLearnedThresholds(options.timesteps)
    method, objective = options.threshold, options.objective
    if method == AUTOMATIC:
        _, method, objective = candidates()[0]
    return AssignThresholds(options.timesteps, method, per_channel=options.per_channel, objective=objective)
