"""The whole way from a module and calibration data to a program."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from dataclasses import replace as replaced
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.common.errors import OptionError, TargetError
from snnc.compiler.compilation import Compilation, provenance_of
from snnc.compiler.conversion.assign import LEARNED, AssignLearnedThresholds, AssignThresholds
from snnc.compiler.conversion.calibration import ALL, CORRECTIONS, Calibrator
from snnc.compiler.conversion.choose_max_pooling import MaxPoolingChoices, choose_max_pooling, neurons
from snnc.compiler.conversion.choose_thresholds import AUTOMATIC, CANDIDATES, ChooseThresholds
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.conversion.solver import METHODS, OBJECTIVES, SEARCHES
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.ir import Conv2d, ConvTranspose2d, Graph, Linear, MaxPool2d
from snnc.compiler.ir.passes import Pass, PassManager, PassRecord, Progress
from snnc.compiler.lowering.exact import lowering
from snnc.compiler.lowering.max_pooling import MAX_POOLINGS, MaxPooling
from snnc.compiler.lowering.spiking_layers import AlignPaths
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.input_moments import input_moments
from snnc.compiler.quantization.membranes import check_target, measure_membranes, to_program
from snnc.compiler.quantization.quantize import INPUT_DEVIATION, UNITS_PER_LEVEL, Quantize
from snnc.compiler.quantization.scale import USUAL_MARGIN
from snnc.compiler.quantization.weights import WeightRounding
from snnc.program import AnnLayer, InputCoding, Program, Provenance
from snnc.program.targets import Target, get_target

TIMESTEPS_MAXIMUM = 1024
# Every way to choose thresholds: the best of several, by a search over the activations, or out of the network.
THRESHOLDS = (AUTOMATIC, *METHODS, LEARNED)
# Input weights are fine enough where rounding them moves a step's drive by less than half of the distance between
# two levels, Vth / T; else the input is spread more coarsely.
FINE = 0.5
# A membrane holds twice what the calibration data made of it; where even that overflows, four times, and so on up to
# the range that is proven.
MARGINS = (USUAL_MARGIN, 2 * USUAL_MARGIN, 4 * USUAL_MARGIN, math.inf)


@dataclass(frozen=True)
class Options:
    """What shapes a compilation.

    Attributes:
        target: Name of the chip.
        timesteps: T, 1..1024.
        threshold: One of ``THRESHOLDS``: ``auto``, the best of several on the calibration data for the T, lead and
            corrections at hand; a key of ``snnc.compiler.conversion.solver.METHODS``; or ``learned``.
        per_channel: One threshold for each channel instead of one for each layer.
        max_pool: How maximum pooling is written for spikes: one of ``MAX_POOLINGS``, or ``auto``, the better of ``or``
            and ``exact`` on the calibration data for each.
        calibrate: Corrections of the layers from the calibration data: names among
            ``snnc.compiler.conversion.calibration.CORRECTIONS``.
        lead: k, 0..T: steps that each layer integrates its input before it may fire.
        objective: m, 1 or 2: thresholds that are searched for make the sum of |activation - rate| ** m least. Only the
            ``SEARCHES`` among the methods minimise anything, so that 2 is for them alone.
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
        """The target, if everything is in range.

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
        if self.threshold not in THRESHOLDS:
            raise OptionError(
                "unknown method", where="threshold", expected=", ".join(THRESHOLDS), found=repr(self.threshold)
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
        if self.objective != 1 and self.threshold not in SEARCHES:
            raise OptionError(
                "is only for thresholds that are searched for; "
                + ("auto tries both" if self.threshold == AUTOMATIC else f"{self.threshold} minimises no error"),
                where="objective (--objective)",
                expected=f"--threshold {' or '.join(SEARCHES)}",
                found=f"{self.objective} with {self.threshold}",
            )
        return get_target(self.target)


def compile_module(
    module: nn.Module,
    raw: NDArray[np.generic],
    options: Options,
    *,
    unit: float | None = None,
    progress: Progress | None = None,
    advance: Callable[[int], None] | None = None,
    processes: Processes | None = None,
) -> Compilation[Program]:
    """Compiles a module.

    Args:
        module: The trained network.
        raw: Calibration data in raw values, (samples, channels, height, width) or (samples, features); finite.
        options: What to make.
        unit: Value of one step of the raw values where they are known to be multiples of it from 0 on.
        progress: Told of each pass as it begins.
        advance: Told how many calibration samples were profiled.
        processes: Those that share the profiling; all of them call this with the same arguments and get the same.

    Raises:
        SnncError: Anything that the user can mend.
    """
    target = options.check()
    coding = choose_coding(
        raw,
        "graded" if target.graded_input else "rate",
        unit=unit,
        mean=options.mean,
        std=options.std,
    )
    levels = coding.levels(raw)
    traced = trace(module, coding.shape)
    pooling = max_pooling(traced, coding, levels, options)
    front = PassManager(
        [
            *lowering(coding, pooling.ways),
            AlignPaths(target.maximum_delay, options.lead),
            ProfileActivations(levels, advance, processes),
            threshold_pass(options, levels, coding),
        ],
        progress,
    )
    graph = front.run(traced)
    provenance = provenance_of(traced, levels, _recorded(options), (*pooling.notes, *front.notes))
    program, records = _quantized(graph, target, options, coding, levels, count_macs(traced), provenance, progress)
    check_target(program, target)
    made = Compilation(program, (*front.records, *records))
    return made.placed(target, allow_oversize=options.allow_oversize)


def max_pooling(traced: Graph, coding: InputCoding, levels: NDArray[np.uint8], options: Options) -> MaxPoolingChoices:
    """How each maximum pooling of a network is written for spikes, as the options say."""
    if options.max_pool == AUTOMATIC:
        return choose_max_pooling(traced, coding, levels, _one_way(options), options.timesteps, options.lead)
    nodes = traced.of_kind(MaxPool2d)
    way = cast(MaxPooling, options.max_pool)
    notes = tuple(f"{node.where}: maximum pooling by {way}, {neurons(node, way):,} neurons" for node in nodes)
    return MaxPoolingChoices({node.name: way for node in nodes}, notes)


def threshold_pass(options: Options, levels: NDArray[np.uint8], coding: InputCoding) -> Pass:
    """The pass that gives each layer its thresholds and initial potentials, as the options say.

    Args:
        options: What to make.
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become input.
    """
    if options.threshold == AUTOMATIC:
        return ChooseThresholds(
            levels,
            coding,
            options.timesteps,
            per_channel=options.per_channel,
            corrections=options.calibrate,
            lead=options.lead,
        )
    return _one_way(options)


def _one_way(options: Options) -> Pass:
    """Thresholds without trying several; where several are to be tried, the first of these."""
    if options.threshold == LEARNED:
        return AssignLearnedThresholds(options.timesteps)
    method, objective = options.threshold, options.objective
    if method == AUTOMATIC:
        _, method, objective = CANDIDATES[0]
    return AssignThresholds(options.timesteps, method, per_channel=options.per_channel, objective=objective)


def _quantized(
    graph: Graph,
    target: Target,
    options: Options,
    coding: InputCoding,
    levels: NDArray[np.uint8],
    ann: tuple[AnnLayer, ...],
    provenance: Provenance,
    progress: Progress | None,
) -> tuple[Program, list[PassRecord]]:
    """Quantises with the smallest margin for which no membrane overflows on the calibration data.

    Where proofs are asked for, thresholds keep at least the weight units that tell T levels apart, or it is an error.
    """
    least_units = float(UNITS_PER_LEVEL * options.timesteps) if options.strict else 1.0
    rounding = WeightRounding(target, input_moments(graph, levels))
    for margin in (math.inf,) if options.strict else MARGINS:
        quantize = partial(
            Quantize, target, options.timesteps, margin=margin, least_units=least_units, lead=options.lead
        )
        candidate, manager, quantized = _spread_evenly(
            graph,
            _codings(coding, options.timesteps),
            partial(quantize, rounding=rounding),
            options.timesteps,
            progress,
        )
        uncorrected: list[PassRecord] = []
        if options.calibrate:
            calibrator = Calibrator(graph, levels, candidate, options.timesteps, options.calibrate, lead=options.lead)
            uncorrected = manager.records
            manager = PassManager([quantize(candidate, calibrator=calibrator)], progress)
            quantized = manager.run(graph)
        program = to_program(
            quantized,
            target=target.name,
            timesteps=options.timesteps,
            coding=candidate,
            ann=ann,
            provenance=provenance,
            lead=options.lead,
        )
        if progress:
            progress("measuring membrane potentials", 0, 1)
        program, wraps = measure_membranes(program, levels, target)
        if not any(wraps):
            notes = tuple(dict.fromkeys((*provenance.notes, *manager.notes)))
            return replaced(program, provenance=replaced(provenance, notes=notes)), [*uncorrected, *manager.records]
    worst = program.layers[int(np.argmax(wraps))]
    raise TargetError(
        "the membrane potential overflows on the calibration data",
        where=worst.where,
        advice="choose a smaller T",
    )


def _spread_evenly(
    graph: Graph,
    candidates: tuple[InputCoding, ...],
    quantize: Callable[[InputCoding], Quantize],
    timesteps: int,
    progress: Progress | None,
) -> tuple[InputCoding, PassManager, Graph]:
    """Quantises with the input spread as evenly as leaves the weights that it meets fine enough.

    Args:
        graph: Layers with thresholds.
        candidates: The ways to spread it, the most even one first.
        quantize: The pass for one of them.
        timesteps: T.
        progress: Told of each pass as it begins.

    Returns:
        The way, the manager that ran it, and the quantised graph.
    """
    for candidate in candidates:
        manager = PassManager([quantize(candidate)], progress)
        try:
            quantized = manager.run(graph)
        except TargetError:
            # All weights for the input round to zero where it is spread too evenly.
            if candidate is candidates[-1]:
                raise
            continue
        (record,) = manager.records
        if float(record.result.stats[INPUT_DEVIATION]) * timesteps < FINE:
            break
    return candidate, manager, quantized


def _codings(coding: InputCoding, timesteps: int) -> tuple[InputCoding, ...]:
    """The ways to spread graded input over the steps, the most even one first."""
    if coding.kind != "graded":
        return (coding,)
    return tuple(replaced(coding, divisor=divisor) for divisor in InputCoding.divisors(timesteps))


def count_macs(graph: Graph) -> tuple[AnnLayer, ...]:
    """Multiply-accumulate operations of the traced ANN's convolutions and linear layers, for one sample.

    Slices and padding were traced as convolutions, but nothing is multiplied there.
    """
    counts = []
    for node in graph.of_kind(Conv2d, ConvTranspose2d, Linear):
        assert isinstance(node.op, Conv2d | ConvTranspose2d | Linear)
        if isinstance(node.op, Conv2d) and _only_moves(node.op):
            continue
        # A transposed convolution meets its weights once for each position of its input, not of its output.
        shape = graph[node.inputs[0]].shape if isinstance(node.op, ConvTranspose2d) else node.shape
        counts.append(AnnLayer(node.where, int(node.op.weight.size) * math.prod(shape[1:])))
    return tuple(counts)


def _only_moves(op: Conv2d) -> bool:
    """Whether each output is one input as it is, or 0."""
    ones = (op.weight == 1).sum(axis=(1, 2, 3))
    return not op.bias.any() and bool((ones <= 1).all()) and int(ones.sum()) == np.count_nonzero(op.weight)


def _recorded(options: Options) -> dict[str, str]:
    """The options by name; what shapes nothing is left out: a lead of 0, no proofs asked for, and what is allowed."""
    silent = {"allow_oversize", *(name for name in ("lead", "strict") if not getattr(options, name))}
    return {field.name: _as_text(getattr(options, field.name)) for field in fields(options) if field.name not in silent}


def _as_text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
