"""Which way of choosing thresholds suits a network: tried on the calibration data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.compiler.compilation import Remedies
from snnc.compiler.conversion.assign import (
    AssignLearnedThresholds,
    AssignThresholds,
    ThresholdOutcome,
    held_together,
)
from snnc.compiler.conversion.calibration.calibrator import Calibrator
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.conversion.calibration.layer_data import LayerData, rate_errors
from snnc.compiler.conversion.methods import METHODS
from snnc.compiler.ir import (
    Conv2d,
    Graph,
    IntegrateAndFire,
    Operation,
    Readout,
    Relay,
    Sparse,
    SpikeMax2d,
    SpikingLayer,
)
from snnc.compiler.ir.passes import Figures, Outcome, Pass, PassResult
from snnc.compiler.ir.spec import CONVERTED, PROFILED
from snnc.compiler.search import Candidate, Judge, search, unexplained
from snnc.program import InputCoding
from snnc.program.provenance import ThresholdChoice
from snnc.program.verdict import Score

# The way's name on the command line, beside those of the solver.
AUTOMATIC = "auto"
# What becomes of choosing among the candidates anew for each layer or channel: in notes, and as files name it.
NEAREST, NEAREST_METHOD = "the nearest to each activation", "nearest"
# Calibration samples that each is tried on, and values of the largest layer that are held for them at once.
SAMPLES, LEAST_SAMPLES = 128, 8
VALUES_MAXIMUM = 1 << 27
# Multiplications of one try, over samples and steps: some seconds for each on one core.
PRODUCTS = 3 * 10**10
# A share of the ANN's output whose loss is worth advice.
MUCH = 0.1
# Of the other candidates, so many are worth a try in integers that leave at most so many times as much, and this.
RIVALS, NEARLY, BESIDE = 2, 1.25, 0.002


def candidates() -> tuple[tuple[str, str, int], ...]:
    """Return the methods that are tried, each with its name in notes and m; of two that are as good, the first."""
    return tuple(
        (f"{name}, m = {objective}" if method.minimises else name, name, objective)
        for name, method in METHODS.items()
        for objective in method.tried_with
    )


@dataclass(frozen=True, eq=False)
class RivalThresholds:
    """Thresholds that floating point finds nearly as good as those that it prefers.

    Attributes:
        name: The candidate, as notes call it.
        choice: What files keep of it.
        graph: The network with them.
    """

    name: str
    choice: ThresholdChoice
    graph: Graph


@dataclass(frozen=True)
class TriedThresholds(ThresholdOutcome):
    """Thresholds that were chosen by running the network.

    Attributes:
        name: The candidate that was taken, as notes call it.
        left: Of all candidates: the share of the ANN's output left unexplained, 0..1.
        samples: Calibration samples that they were judged on.
        first: What the first candidate found out.
        remedies: What can be done where much is lost.
        rivals: Others that may be better in integers.
        in_integers: What candidates that were tried in integers leave unexplained there; empty where one was.
    """

    name: str
    left: Mapping[str, float]
    samples: int
    first: Outcome
    remedies: Remedies
    rivals: tuple[RivalThresholds, ...] = ()
    in_integers: Mapping[str, float] = field(default_factory=dict)

    def settled(self, name: str, in_integers: Mapping[str, float]) -> TriedThresholds:
        """Return the same with the candidate that was taken after integers were tried.

        Args:
            name: This one, or a rival.
            in_integers: What each of them leaves unexplained.
        """
        choice = next((each.choice for each in self.rivals if each.name == name), self.choice)
        return replace(self, name=name, choice=choice, in_integers=in_integers, rivals=())

    @property
    def figures(self) -> Figures:
        """The choice and the shares."""
        return {"chosen": self.name, **{f"unexplained ({name})": value for name, value in self.left.items()}}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        tried = ", ".join(f"{name} {value:.1%}" for name, value in self.left.items())
        sentence = (
            f"thresholds by {self.name} (of the variance of the ANN's output the network leaves unexplained on "
            f"{self.samples:,} calibration samples: {tried}"
        )
        if self.in_integers:
            settled = ", ".join(f"{name} {value:.1%}" for name, value in self.in_integers.items())
            sentence = f"{sentence}; in integers: {settled}"
        sentence = f"{sentence})"
        return (*self.first.notes, sentence, *([self._advice] if self.left[self.name] >= MUCH else []))

    @property
    def _advice(self) -> str:
        return (
            f"much is lost on the way to spikes: {self.left[self.name]:.0%} of the ANN's output stays unexplained at "
            f"T = {self.remedies.timesteps}; what helps: {', '.join(self.remedies.against_spikes)}"
        )


@dataclass(frozen=True)
class UntriedThresholds(ThresholdOutcome):
    """Thresholds of the first candidate, since the network is too large, or T, to try others.

    Attributes:
        name: The candidate, as notes call it.
        first: What it found out.
    """

    name: str
    first: Outcome

    @property
    def figures(self) -> Figures:
        """The figures of the candidate."""
        return self.first.figures

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        note = f"thresholds by {self.name}: the network is too large, or T, to try others on calibration data"
        return (*self.first.notes, note)


@dataclass(frozen=True, eq=False)
class _Try:
    """A network with the thresholds that it ran with, uncorrected, and what they leave unexplained."""

    graph: Graph
    left: float


class ChooseThresholds(Pass):
    """Tries several ways of choosing thresholds, and takes the one whose network comes nearest to the ANN.

    Which thresholds are the best depends on the network, on T, and on what else is done about errors: finer levels cost
    clipping, and what spikes that come unevenly do to a layer no formula for a constant input says. So the network is
    run with each on calibration data, corrected and with lead as it will be, but in floating point: with the thresholds
    of m = 2, of m = 1, of the percentile, and with those among the three that come, for each layer or channel, nearest
    to the ANN's activations on the spikes that it then receives. What counts is the output of the whole network
    (:func:`snnc.compiler.search.unexplained`); no labels are needed. A network that was trained as a spiking one for
    this T keeps the thresholds that it was trained with.

    Args:
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become the first layer's input.
        timesteps: T.
        per_channel: One threshold for each channel instead of one for each layer.
        corrections: Names of the corrections that the layers will get.
        lead: Steps that each layer integrates before it may fire.
        judge: Decides between the candidates.
    """

    title = "choosing thresholds"
    requires = (PROFILED,)
    ensures = (CONVERTED,)

    def __init__(
        self,
        levels: NDArray[np.uint8],
        coding: InputCoding,
        timesteps: int,
        *,
        per_channel: bool,
        corrections: Sequence[str] = (),
        lead: int = 0,
        judge: Judge | None = None,
    ) -> None:
        self._levels = levels
        self._coding = coding
        self._timesteps = timesteps
        self._per_channel = per_channel
        self._corrections = corrections
        self._lead = lead
        self._judge = judge or Judge()

    def run(self, graph: Graph) -> PassResult:
        """Assign the best."""
        if _is_trained(graph, self._timesteps):
            return AssignLearnedThresholds(self._timesteps).run(graph)
        largest = max(math.prod(node.shape) for node in graph)
        affordable = min(VALUES_MAXIMUM // largest, PRODUCTS // (self._timesteps * _multiplications(graph)))
        if affordable < LEAST_SAMPLES:
            return self._untried(graph)
        fitted, judged = _samples(self._levels, affordable, bool(self._corrections))
        assigned = {name: self._assigned(graph, method, objective) for name, method, objective in candidates()}
        ways = [result.graph for result in assigned.values()]
        runs = (partial(self._tried, fitted, judged, [way]) for way in ways)
        graphs: dict[str, Graph] = {}

        def kept(name: str, run: Callable[[], _Try]) -> _Try:
            tried = run()
            graphs[name] = tried.graph
            return tried

        tries = [Candidate(name, partial(kept, name, run)) for name, run in zip(assigned, runs, strict=True)]
        tries.append(Candidate(NEAREST, partial(kept, NEAREST, partial(self._tried, fitted, judged, ways))))
        found = search(tries, lambda tried: self._judge.thresholds(tried.left))
        scores = tuple(Score.of(name, value) for name, value in found.scores.items())
        least = found.scores[found.name] * NEARLY + BESIDE
        near = sorted((left, name) for name, left in found.scores.items() if name != found.name and left <= least)
        rivals = tuple(
            RivalThresholds(name, _choice(name, scores, len(judged)), graphs[name]) for _, name in near[:RIVALS]
        )
        outcome = TriedThresholds(
            choice=_choice(found.name, scores, len(judged)),
            name=found.name,
            left=found.scores,
            samples=len(judged),
            first=next(iter(assigned.values())).outcome,
            remedies=Remedies(self._timesteps, self._lead, tuple(self._corrections), True, self._per_channel),
            rivals=rivals,
        )
        return PassResult(found.made.graph, True, outcome)

    def _assigned(self, graph: Graph, method: str, objective: int) -> PassResult:
        assign = AssignThresholds(self._timesteps, method, per_channel=self._per_channel, objective=objective)
        return assign.run(graph)

    def _untried(self, graph: Graph) -> PassResult:
        """Return the first candidate, for networks that are too large to be run with several."""
        name, method, objective = candidates()[0]
        result = self._assigned(graph, method, objective)
        assert isinstance(result.outcome, ThresholdOutcome)
        return replace(result, outcome=UntriedThresholds(result.outcome.choice, name, result.outcome))

    def _tried(self, fitted: NDArray[np.uint8], judged: NDArray[np.uint8], candidates: Sequence[Graph]) -> _Try:
        """Run a network.

        Args:
            fitted: The samples that its corrections rest on.
            judged: Those that it is judged on.
            candidates: One network with thresholds, or several of which each layer or channel takes the nearest.
        """
        graph = candidates[0].copy()
        fit, judge = (
            Calibrator(graph, levels, self._coding, self._timesteps, self._corrections, lead=self._lead)
            for levels in (fitted, judged)
        )
        walks = (fit,) if fitted is judged else (fit, judge)
        left = 0.0
        with torch.no_grad():
            for node in candidates[0].of_kind(SpikingLayer, Readout, SpikeMax2d, Relay):
                if isinstance(node.op, SpikeMax2d | Relay):
                    for walk in walks:
                        walk.pass_on(node)
                    continue
                layers = [walk.layer(node) for walk in walks]
                assert isinstance(node.op, SpikingLayer | Readout)
                op = fit.after(layers[0], node.op, before_thresholds=True)
                if isinstance(op, SpikingLayer):
                    proposals = [_levels_of(candidate[node.name].op) for candidate in candidates]
                    threshold, potential = self._nearest(layers[0], op, proposals)
                    op = replace(op, threshold=threshold, initial_potential=potential)
                    graph.replace(node.name, _with_thresholds_of(op, node.op))
                op = fit.after(layers[0], op, before_thresholds=False)
                if isinstance(op, Readout):
                    left = _left(layers[-1], op)
                for walk, layer in zip(walks, layers, strict=True):
                    walk.send(layer, op)
        return _Try(graph, left)

    def _nearest(
        self, layer: LayerData, op: SpikingLayer, proposals: list[tuple[FloatArray, FloatArray]]
    ) -> tuple[FloatArray, FloatArray]:
        """Return for each channel, or the layer, the thresholds and potentials whose rates come nearest to the ANN."""
        if len(proposals) == 1:
            return proposals[0]
        errors = torch.zeros(len(proposals), layer.node.shape[0], dtype=torch.float64)
        for samples in layer.batches(layer.few):
            drive, wanted = layer.drive(op, samples), layer.ann_activation(samples)
            for index, (threshold, potential) in enumerate(proposals):
                arrives = drive
                for parts in (CORRECTIONS[name].parts for name in self._corrections):
                    if parts:
                        potential, each_step = parts(potential, self._timesteps)
                        arrives = arrives + layer.per_channel(each_step, drive)
                tried = replace(op, threshold=threshold, initial_potential=potential)
                errors[index] += rate_errors(layer, tried, arrives, wanted)
        if not self._per_channel:
            errors = errors.sum(1, keepdim=True).expand_as(errors)
        best = errors.argmin(0).numpy()
        channels = np.arange(len(best))
        thresholds, potentials = (np.stack(each) for each in zip(*proposals, strict=True))
        return held_together(thresholds[best, channels], potentials[best, channels])


def _choice(name: str, scores: tuple[Score, ...], samples: int) -> ThresholdChoice:
    """Return what files keep of a candidate that was taken."""
    # What is nearest to each activation is so by its squared error.
    method, objective = NEAREST_METHOD, 2
    if name != NEAREST:
        ((method, objective),) = ((method, m) for each, method, m in candidates() if each == name)
    met = METHODS[method].objective_met(objective) if method in METHODS else objective
    return ThresholdChoice(method, met, scores, samples)


def _is_trained(graph: Graph, timesteps: int) -> bool:
    """Return whether all layers are those of a network that was trained as a spiking one for so many steps."""
    activations = [node.op.activation for node in graph if isinstance(node.op, SpikingLayer)]
    return bool(activations) and all(
        isinstance(each, IntegrateAndFire) and each.timesteps == timesteps for each in activations
    )


def _multiplications(graph: Graph) -> int:
    """Return the multiplications of one sample in one step, as if every input fired; at least 1."""
    found = 1
    for node in graph:
        if isinstance(node.op, SpikingLayer | Readout):
            for each in node.op.synapses:
                if isinstance(each, Sparse):
                    found += int(each.matrix.nnz)
                else:
                    found += int(each.weight.size) * (math.prod(node.shape[1:]) if isinstance(each, Conv2d) else 1)
    return found


def _samples(
    levels: NDArray[np.uint8], affordable: int, corrected: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return calibration samples to correct a network on and to judge it on; the same where nothing is fitted to them.

    Args:
        levels: All of them.
        affordable: How many time and memory allow.
        corrected: Whether layers are corrected.
    """
    samples = max(LEAST_SAMPLES, min(SAMPLES, affordable))
    if not corrected or len(levels) < 2 * LEAST_SAMPLES:
        some = levels[:: -(-len(levels) // samples)]
        return some, some
    # Weights that were fitted to few samples know these by heart: others have to judge.
    every = -(-len(levels) // (2 * samples))
    return levels[:: 2 * every], levels[every :: 2 * every]


def _left(layer: LayerData, op: Readout) -> float:
    parts = list(layer.batches())
    found, wanted = (torch.cat([of(part) for part in parts]) for of in (partial(layer.mean_drive, op), layer.ann_drive))
    return unexplained(found, wanted)


def _levels_of(op: Operation) -> tuple[FloatArray, FloatArray]:
    assert isinstance(op, SpikingLayer)
    assert op.threshold is not None and op.initial_potential is not None
    return op.threshold, op.initial_potential


def _with_thresholds_of(op: SpikingLayer, uncorrected: Operation) -> SpikingLayer:
    assert isinstance(uncorrected, SpikingLayer)
    return replace(uncorrected, threshold=op.threshold, initial_potential=op.initial_potential)
