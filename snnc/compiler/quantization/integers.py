"""The search for integers that fit: margins, and for each how the input is spread, and the corrections."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import TargetError
from snnc.common.progress import Progress, Unheard
from snnc.compiler.conversion.calibration.calibrator import Calibrator
from snnc.compiler.ir import Graph, execute
from snnc.compiler.ir.passes import PassManager, PassRecord
from snnc.compiler.quantization.input_moments import input_readings
from snnc.compiler.quantization.layers import FEWER_STEPS
from snnc.compiler.quantization.membranes import Measured, measure_membranes, to_program
from snnc.compiler.quantization.normalized import Idle, with_outliers_apart
from snnc.compiler.quantization.quantize import UNITS_PER_LEVEL, CorrectAndQuantize, QuantizationOutcome, Quantize
from snnc.compiler.quantization.scale import USUAL_MARGIN
from snnc.compiler.quantization.weights import WeightRounding
from snnc.compiler.search import JUDGED, Candidate, Judge, search, unexplained
from snnc.program import AnnLayer, InputCoding, Program, Provenance
from snnc.program.targets import Target
from snnc.runtime.simulator import Simulator

# A membrane holds twice what the calibration data made of it; where even that overflows, four times, and so on up to
# the range that is proven.
MARGINS = (USUAL_MARGIN, 2 * USUAL_MARGIN, 4 * USUAL_MARGIN, math.inf)
# What a membrane holds at least, where twice as much leaves too few weight units for a threshold.
NARROW_MARGIN = 1.4


@dataclass(frozen=True, eq=False)
class _Quantised:
    """A quantised graph, and what the passes did that made it."""

    graph: Graph
    coding: InputCoding
    outcome: QuantizationOutcome
    records: tuple[PassRecord, ...]


@dataclass(frozen=True, eq=False)
class MeasuredProgram:
    """A program whose membranes were measured on the calibration data.

    Attributes:
        measured: The program, whose provenance is still empty, and what it did.
        outcome: What quantising it left.
        records: What each pass did.
    """

    measured: Measured
    outcome: QuantizationOutcome
    records: tuple[PassRecord, ...]

    @property
    def program(self) -> Program:
        """The program."""
        return self.measured.program


class _Settings(TypedDict):
    """What all passes that quantise share."""

    margin: float
    least_units: float
    rounding: WeightRounding
    lead: int
    constant_input: Idle | None


class IntegerSearch:
    """Finds the integers of a converted network.

    Args:
        graph: Spiking layers with thresholds.
        coding: How data become the first layer's input; of graded input the spread is searched for.
        levels: Calibration data as input levels, (samples, *input shape).
        ann: The ANN's linear layers.
        target: The chip.
        timesteps: T.
        corrections: Names of the corrections that layers get.
        lead: Steps that each layer integrates before it may fire.
        strict: Only ranges that are proven are used.
        margins: What is tried else, in order.
        progress: Told of each pass as it begins.
        judge: Decides between candidates.
    """

    def __init__(
        self,
        graph: Graph,
        coding: InputCoding,
        levels: NDArray[np.uint8],
        ann: tuple[AnnLayer, ...],
        target: Target,
        timesteps: int,
        *,
        corrections: Sequence[str] = (),
        lead: int = 0,
        strict: bool = False,
        margins: Sequence[float] = MARGINS,
        progress: Progress = Unheard(),
        judge: Judge | None = None,
    ) -> None:
        self._graph = graph = with_outliers_apart(graph)
        self._coding = coding
        self._levels = levels
        self._ann = ann
        self._target = target
        self._timesteps = timesteps
        self._corrections = corrections
        self._lead = lead
        self._margins = (math.inf,) if strict else margins
        self._progress = progress
        self._judge = judge or Judge()
        self._rounding = WeightRounding(target, input_readings(graph, levels))
        self._constant_input = _constant(levels)
        # Where proofs are asked for, thresholds keep at least the weight units that tell T levels apart.
        self._least_units = float(UNITS_PER_LEVEL * timesteps) if strict else 1.0

    def fitting(self) -> MeasuredProgram:
        """Return the program of the smallest margin for which no membrane overflows on the calibration data.

        Raises:
            TargetError: There is none.
        """
        tries = [Candidate(f"margin {margin:g}", partial(self._measured, margin)) for margin in self._margins]
        found = search(tries, lambda made: self._judge.integers(made.measured.wraps))
        if not found.judgement.accepted:
            worst = found.made.program.layers[int(np.argmax(found.made.measured.wraps))]
            raise TargetError(
                "the membrane potential overflows on the calibration data",
                where=worst.where,
                advice=FEWER_STEPS,
            )
        return found.made

    def _measured(self, margin: float) -> MeasuredProgram:
        """Quantise with a margin, corrected where that is asked for, and run the integers on the calibration data."""
        codings = list(self._codings())
        # A single coding that is to be corrected has nothing to be compared with before.
        made = None if self._corrections and len(codings) == 1 else self._spread(margin, codings)
        coding = made.coding if made else codings[0]
        records = made.records if made else ()
        if self._corrections:
            calibrator = Calibrator(
                self._graph, self._levels, coding, self._timesteps, self._corrections, lead=self._lead
            )
            step = CorrectAndQuantize(self._target, self._timesteps, coding, calibrator, **self._settings(margin))
            made = self._run(step, coding)
            records = (*records, *made.records)
        assert made is not None
        program = self._program(made)
        self._progress.begin("measuring membrane potentials")
        return MeasuredProgram(measure_membranes(program, self._levels, self._target), made.outcome, records)

    def _program(self, made: _Quantised) -> Program:
        return to_program(
            made.graph,
            target=self._target.name,
            timesteps=self._timesteps,
            coding=made.coding,
            ann=self._ann,
            provenance=Provenance("", "", "", 0),
            lead=self._lead,
        )

    def _spread(self, margin: float, codings: list[InputCoding]) -> _Quantised:
        """Quantise with the input spread as evenly as leaves the weights that it meets fine enough."""
        timesteps = self._timesteps
        tries = [Candidate(f"divisor {each.divisor}", partial(self._quantised, margin, each)) for each in codings]
        found = search(
            tries,
            lambda made: self._judge.input_spread(made.outcome.input_deviation, timesteps, made.coding.divisor),
        )
        place = [each.divisor for each in codings].index(found.made.coding.divisor)
        # Nothing is more even than the first; any other was taken for its finer weights alone.
        return self._settled(margin, codings[max(0, place - 1) : place + 2], found.made) if place else found.made

    def _settled(self, margin: float, codings: list[InputCoding], made: _Quantised) -> _Quantised:
        """Return the spread of the input that is best in integers, among those beside the one that was taken."""
        others = [each for each in codings if each.divisor != made.coding.divisor]
        tries = [
            Candidate("as rounding has it", lambda: made),
            *(Candidate(f"divisor {each.divisor}", partial(self._quantised, margin, each)) for each in others),
        ]
        few = self._levels[:JUDGED]
        wanted = execute(self._graph, torch.as_tensor(few, dtype=torch.float32))[self._graph.output.name]

        found = search(tries, lambda tried: self._judge.outputs(left_by(self._program(tried), few, wanted)))
        return found.made

    def _quantised(self, margin: float, coding: InputCoding) -> _Quantised:
        return self._run(Quantize(self._target, self._timesteps, coding, **self._settings(margin)), coding)

    def _run(self, step: Quantize, coding: InputCoding) -> _Quantised:
        manager = PassManager([step], self._progress)
        result = manager.run(self._graph)
        (record,) = manager.records
        assert isinstance(record.result.outcome, QuantizationOutcome)
        return _Quantised(result.graph, coding, record.result.outcome, manager.records)

    def _settings(self, margin: float) -> _Settings:
        return {
            "margin": margin,
            "least_units": self._least_units,
            "rounding": self._rounding,
            "lead": self._lead,
            "constant_input": self._constant_input,
        }

    def _codings(self) -> Iterator[InputCoding]:
        """Return the ways to spread graded input over the steps, the most even one first."""
        if self._coding.kind != "graded":
            yield self._coding
            return
        for divisor in InputCoding.divisors(self._timesteps):
            yield replace(self._coding, divisor=divisor)


def left_by(program: Program, levels: NDArray[np.uint8], wanted: torch.Tensor) -> float:
    """Run integers, and return what they leave of the ANN's outputs unexplained, 0..1.

    Args:
        program: The integers.
        levels: Samples as input levels, (samples, *input shape).
        wanted: The ANN's outputs, (samples, *output shape).
    """
    outputs = torch.as_tensor(program.logits(Simulator(program).run(levels).readout))
    return unexplained(outputs, wanted.reshape(outputs.shape))


def _constant(levels: NDArray[np.uint8]) -> Idle | None:
    """Return which values of the input never vary, in levels; None where all do, or nothing can be said."""
    places = (levels == levels[0]).all(0)
    if len(levels) < 2 or not places.any() or places.all():
        return None
    return Idle(places, np.where(places, levels[0], 0).astype(np.float64))
