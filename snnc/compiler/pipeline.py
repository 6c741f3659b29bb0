"""The whole way from a module and calibration data to a program: front, conversion, quantisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.common.errors import TargetError
from snnc.common.progress import Progress, Unheard
from snnc.compiler.compilation import Compilation, count_macs, provenance_of
from snnc.compiler.conversion.assign import AssignLearnedThresholds, AssignThresholds, ThresholdOutcome
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.conversion.choose_max_pooling import MaxPoolingChoices, choose_max_pooling, named_max_pooling
from snnc.compiler.conversion.choose_thresholds import ChooseThresholds, TriedThresholds, candidates
from snnc.compiler.conversion.methods import LEARNED
from snnc.compiler.front import ChooseWays, Front, front
from snnc.compiler.ir import Graph, SpikingLayer, execute
from snnc.compiler.ir.passes import Pass, PassManager, PassRecord
from snnc.compiler.lowering.max_pooling import MaxPooling
from snnc.compiler.options import AUTOMATIC, CompileOptions
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.integers import MARGINS, NARROW_MARGIN, IntegerSearch, MeasuredProgram, left_by
from snnc.compiler.quantization.layers import FEWER_STEPS
from snnc.compiler.quantization.scale import USUAL_MARGIN
from snnc.compiler.search import JUDGED, SETTLED, Candidate, Judge, search, unexplained
from snnc.program import InputCoding, Program

# What a share of the ANN's output that is left unexplained counts beside as large a share of decisions.
VALUE = 0.3
# Where more than this is left unexplained, and membranes are too narrow for T, fewer steps may be better; and how many
# times as much may be left with fewer for that to be worth a note.
UNSURE, NOTICED = 0.01, 0.8
# Levels that neurons with larger thresholds tell apart at least.
LEVELS_LEAST = 8
# Corrections that were asked for are left out where the network without them leaves less than this share of what it
# leaves with them: on some tens of samples a tenth more or less is luck.
WITHOUT = 2 / 3


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
    judge = judge or Judge()

    def compiled(made: Front) -> _Settled:
        try:
            return _settle(convert(made, options, progress=progress, judge=judge), progress, judge)
        except TargetError as error:
            if error.advice == FEWER_STEPS and (fits := _fewer_steps(made, options, progress, judge)):
                raise error.advising(f"T = {fits[0].converted.options.steps} or less fits") from error
            raise

    made = profile(module, raw, options, unit=unit, progress=progress, processes=processes, judge=judge)
    best = compiled(made)
    cheaper = made.pooling.cheaper()
    if cheaper is not None:
        # Neurons that pool exactly multiply synaptic operations: they have to be worth it in integers.
        other = compiled(
            _front(made.traced, raw, options, lambda *_: cheaper, unit=unit, progress=progress, processes=processes)
        )
        least = min(best.integers.measured.operations, other.integers.measured.operations)
        tries = [Candidate("the cheaper ways", lambda: other), Candidate("those of the smaller error", lambda: best)]
        found = search(
            tries, lambda tried: judge.worth(tried.lost, tried.integers.measured.operations / max(least, 1.0))
        )
        tried = {
            f"{name}, {each.integers.measured.operations:,.0f} synaptic operations": each.lost
            for name, each in (("the cheaper ways", other), ("those of the smaller error", best))
        }
        best = found.made.with_pooling(replaced(found.made.converted.front.pooling, in_integers=tried))
    notes: tuple[str, ...] = ()
    outcome = best.integers.outcome
    if (outcome.coarse or outcome.lost) and best.left > UNSURE and options.threshold != LEARNED:
        best = _with_narrow_margins(_with_larger_thresholds(best, progress, judge), progress, judge)
        notes = _too_many_steps(best, progress, judge)
    return _finished(best).noted(notes)


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
    ways = partial(max_pooling, options=options, judge=judge)
    return _front(network, raw, options, ways, unit=unit, progress=progress, processes=processes)


def _front(
    network: nn.Module | Graph,
    raw: NDArray[np.generic],
    options: CompileOptions,
    ways: ChooseWays,
    *,
    unit: float | None,
    progress: Progress,
    processes: Processes | None,
) -> Front:
    """Trace, lower and profile a network whose maximum poolings are written in ways that are given."""
    return front(
        network,
        raw,
        options.check(),
        ways,
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
    return _finished(_settle(converted, progress, judge or Judge()))


@dataclass(frozen=True, eq=False)
class _Settled:
    """A network in integers, whose thresholds integers decided on.

    Attributes:
        converted: What it was made of.
        integers: The integers.
        lost: What is lost of the ANN on the calibration samples that candidates are judged on: the share that is
            decided otherwise, and some of what is left of the values unexplained, as few samples see few decisions.
        left: The latter alone, 0..1.
        notes: What users should know of the choice, one sentence each.
    """

    converted: Converted
    integers: MeasuredProgram
    lost: float
    left: float
    notes: tuple[str, ...] = ()

    def with_pooling(self, pooling: MaxPoolingChoices) -> _Settled:
        """Return the same with what is known of its ways of pooling."""
        made = replaced(self.converted.front, pooling=pooling)
        return replaced(self, converted=replaced(self.converted, front=made))


def _settle(converted: Converted, progress: Progress, judge: Judge, margins: Sequence[float] = MARGINS) -> _Settled:
    """Quantise a network with its thresholds or, where others come near, with those that are best in integers."""
    options, made = converted.options, converted.front
    few = made.levels[:JUDGED]
    wanted = execute(made.graph, torch.as_tensor(few, dtype=torch.float32))[made.graph.output.name]

    def integers(
        graph: Graph, levels: NDArray[np.uint8], corrections: Sequence[str] = options.corrections
    ) -> MeasuredProgram:
        search = IntegerSearch(
            graph,
            made.coding,
            levels,
            count_macs(made.traced),
            options.check(),
            options.steps,
            corrections=corrections,
            lead=options.lead,
            strict=options.strict,
            margins=margins,
            progress=progress,
            judge=judge,
        )
        return search.fitting()

    def left(tried: MeasuredProgram) -> float:
        found = torch.as_tensor(tried.measured.outputs[: len(few)])
        return unexplained(found, wanted.reshape(found.shape))

    def settled(made: Converted, tried: MeasuredProgram) -> _Settled:
        found = torch.as_tensor(tried.measured.outputs[: len(few)]).flatten(1)
        decides = found.shape[1] > 1 and len(wanted.shape) - sum(each == 1 for each in wanted.shape[2:]) == 2
        differ = float((found.argmax(1) != wanted.flatten(1).argmax(1)).double().mean())
        unexplained_share = left(tried)
        return _Settled(made, tried, (differ if decides else 0.0) + VALUE * unexplained_share, unexplained_share)

    def on_others(tried: MeasuredProgram) -> float:
        return left_by(tried.program, few[1::2], wanted[1::2])

    def judged(made: Converted, tried: MeasuredProgram) -> _Settled:
        """Settle whether what was corrected is better for that."""
        if not options.corrections or len(few) < 2:
            return settled(made, tried)
        # Of many samples those that judge had little part in the corrections.
        corrected = tried if len(converted.front.levels) >= 2 * len(few) else integers(made.graph, few[::2])
        if (left_with := on_others(corrected)) < SETTLED:
            return settled(made, tried)
        plain = integers(made.graph, converted.front.levels, ())
        if (left_without := on_others(plain)) >= WITHOUT * left_with:
            return settled(made, tried)
        note = (
            f"nothing was corrected (--calibrate): in integers {left_without:.1%} of the ANN's output are left "
            f"unexplained without corrections, and {left_with:.1%} with them"
        )
        return replaced(settled(made, plain), notes=(note,))

    first = integers(converted.graph, made.levels)
    preferred = converted.outcome
    if not isinstance(preferred, TriedThresholds) or not preferred.rivals:
        return judged(converted, first)
    # Weights that were fitted to few samples know these by heart: others have to judge.
    is_fitted = len(few) > 1 and any(CORRECTIONS[name].windows for name in options.corrections)
    fitting = few[::2] if is_fitted else few
    tries = [
        Candidate(preferred.name, partial(integers, converted.graph, fitting) if is_fitted else lambda: first),
        *(Candidate(each.name, partial(integers, each.graph, fitting)) for each in preferred.rivals),
    ]
    found = search(tries, lambda tried: judge.outputs((on_others if is_fitted else left)(tried)))
    outcome = preferred.settled(found.name, found.scores if len(found.scores) > 1 else {})
    graph = next((each.graph for each in preferred.rivals if each.name == found.name), converted.graph)
    taken = first if found.name == preferred.name else integers(graph, made.levels)
    record = replaced(converted.record, result=replaced(converted.record.result, graph=graph, outcome=outcome))
    return judged(replaced(converted, graph=graph, outcome=outcome, record=record), taken)


def _with_larger_thresholds(best: _Settled, progress: Progress, judge: Judge) -> _Settled:
    """Return a network with two, four or more times as large thresholds, for as long as that leaves less unexplained.

    Membranes have to hold what T steps add up to, so that many steps leave few weight units for a threshold. Where all
    thresholds are twice as large, half of the spikes are sent: neurons tell as many levels apart as with T / 2 steps,
    and thresholds have as many weight units as with these.
    """
    factor = 2
    while best.converted.options.steps >= LEVELS_LEAST * factor:
        converted = best.converted
        graph = converted.graph.copy()
        for node in graph.of_kind(SpikingLayer):
            op = node.op
            assert isinstance(op, SpikingLayer) and op.threshold is not None and op.initial_potential is not None
            larger = replaced(op, threshold=2 * op.threshold, initial_potential=2 * op.initial_potential)
            graph.replace(node.name, larger)
        tried = _if_better(best, replaced(converted, graph=graph), progress, judge)
        if tried is None:
            break
        note = f"all thresholds are {factor} times as large as they were chosen, so that weights are finer at this T"
        best, factor = replaced(tried, notes=(*tried.notes, note)), 2 * factor
    return best


def _with_narrow_margins(best: _Settled, progress: Progress, judge: Judge) -> _Settled:
    """Return a network whose membranes hold less than twice what the calibration data made of them, if it is better."""
    if best.left <= UNSURE or best.converted.options.strict:
        return best
    tried = _if_better(best, best.converted, progress, judge, (NARROW_MARGIN, *MARGINS))
    if tried is None:
        return best
    note = (
        f"membranes hold {NARROW_MARGIN:g} times what the calibration data made of them, and not {USUAL_MARGIN:g} "
        "times, so that weights are finer at this T"
    )
    return replaced(tried, notes=(*best.notes, note))


def _if_better(
    best: _Settled, converted: Converted, progress: Progress, judge: Judge, margins: Sequence[float] = MARGINS
) -> _Settled | None:
    """Quantise a network once more, in another form; None where that does not fit, or leaves hardly less unexplained.

    Args:
        best: What was found before.
        converted: The other form; its thresholds are settled.
        progress: Told of each pass as it begins.
        judge: Decides between candidates.
        margins: As for :class:`IntegerSearch`.
    """
    outcome = converted.outcome
    if isinstance(outcome, TriedThresholds):
        converted = replaced(converted, outcome=replaced(outcome, rivals=()))
    try:
        tried = _settle(converted, progress, judge, margins)
    except TargetError:
        return None
    return None if tried.left > NOTICED * best.left else tried


def _too_many_steps(settled: _Settled, progress: Progress, judge: Judge) -> tuple[str, ...]:
    """Return a note where fewer steps leave less of the ANN's output unexplained, with the best of them; else none."""
    options = settled.converted.options
    fewer = _fewer_steps(settled.converted.front, options, progress, judge, settled.left)
    if not fewer:
        return ()
    best = min(fewer, key=lambda each: each.left)
    if best.left > NOTICED * settled.left:
        return ()
    return (
        f"T = {options.steps} is more than the membranes hold of this network: T = {best.converted.options.steps} "
        f"leaves {best.left:.1%} of the ANN's output unexplained, and this T {settled.left:.1%}",
    )


def _fewer_steps(
    made: Front, options: CompileOptions, progress: Progress, judge: Judge, left: float | None = None
) -> list[_Settled]:
    """Compile for half of T, and half of that, on few samples, for as long as that gets better.

    Args:
        made: The network.
        options: What to make; T is too large.
        progress: Told of each pass as it begins.
        judge: Decides between candidates.
        left: What T itself leaves unexplained; None: it does not fit at all, and the first that does is enough.

    Returns:
        What fits, the largest T first; none where thresholds were learned for this T.
    """
    if options.threshold == LEARNED:
        return []
    few, found = replaced(made, levels=made.levels[:JUDGED]), []
    steps = options.steps // 2
    while steps >= 1:
        tried = replaced(options, timesteps=steps, lead=min(options.lead, steps))
        try:
            settled = _settle(convert(few, tried, progress=progress, judge=judge), progress, judge)
        except TargetError:
            settled = None
        if settled:
            found.append(settled)
            if left is None or settled.left >= left:
                break
            left = settled.left
        steps //= 2
    return found


def _finished(settled: _Settled) -> Compilation[Program]:
    """Return the compilation, with all that is known of it, checked against the chip."""
    converted, integers = settled.converted, settled.integers
    made, options = converted.front, converted.options
    notes = (*made.notes, *converted.outcome.notes, *integers.outcome.notes, *settled.notes)
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
    return Compilation(program, records).placed(options.check(), allow_oversize=options.allow_oversize)


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
