"""Which way of choosing thresholds suits a network: tried on the calibration data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray
from snnc.compiler.compilation import CALIBRATE_OPTION, lead_option
from snnc.compiler.conversion.assign import AssignLearnedThresholds, AssignThresholds, held_together
from snnc.compiler.conversion.calibration import Calibrator
from snnc.compiler.conversion.calibration.layer_data import LayerData, rate_errors
from snnc.compiler.conversion.calibration.spread import parted
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
from snnc.compiler.ir.passes import Pass, PassResult, profiled, thresholds_assigned
from snnc.program import InputCoding

# The way's name on the command line, beside those of the solver.
AUTOMATIC = "auto"
# Methods and objectives that are tried; of two that are as good, the first.
CANDIDATES: tuple[tuple[str, str, int], ...] = (
    ("data-driven, m = 2", "data-driven", 2),
    ("data-driven, m = 1", "data-driven", 1),
    ("percentile", "percentile", 1),
)
# And what becomes of choosing among them anew for each layer or channel.
NEAREST = "the nearest to each activation"
# Calibration samples that each is tried on, and values of the largest layer that are held for them at once.
SAMPLES, LEAST_SAMPLES = 128, 8
VALUES_MAXIMUM = 1 << 27
# Multiplications of one try, over samples and steps: some seconds for each on one core.
PRODUCTS = 3 * 10**10
# A share of the ANN's output whose loss is worth advice.
MUCH = 0.1


class ChooseThresholds(Pass):
    """Tries several ways of choosing thresholds, and takes the one whose network comes nearest to the ANN.

    Which thresholds are the best depends on the network, on T, and on what else is done about errors: finer levels cost
    clipping, and what spikes that come unevenly do to a layer no formula for a constant input says. So the network is
    run with each on calibration data, corrected and with lead as it will be, but in floating point: with the thresholds
    of m = 2, of m = 1, of the percentile, and with those among the three that come, for each layer or channel, nearest
    to the ANN's activations on the spikes that it then receives. What counts is the output of the whole network
    (:func:`unexplained`); no labels are needed. A network that was trained as a spiking one for this T keeps the
    thresholds that it was trained with.

    Args:
        levels: Calibration data as input levels, (samples, *input shape).
        coding: How they become input.
        timesteps: T.
        per_channel: One threshold for each channel instead of one for each layer.
        corrections: Names of the corrections that the layers will get.
        lead: Steps that each layer integrates before it may fire.
    """

    title = "choosing thresholds"
    requires = (profiled,)
    ensures = (thresholds_assigned,)

    def __init__(
        self,
        levels: NDArray[np.uint8],
        coding: InputCoding,
        timesteps: int,
        *,
        per_channel: bool,
        corrections: Sequence[str] = (),
        lead: int = 0,
    ) -> None:
        self._levels = levels
        self._coding = coding
        self._timesteps = timesteps
        self._per_channel = per_channel
        self._corrections = corrections
        self._lead = lead

    def run(self, graph: Graph) -> PassResult:
        """Assigns the best."""
        if _is_trained(graph, self._timesteps):
            return AssignLearnedThresholds(self._timesteps).run(graph)
        largest = max(math.prod(node.shape) for node in graph)
        affordable = min(VALUES_MAXIMUM // largest, PRODUCTS // (self._timesteps * _multiplications(graph)))
        if affordable < LEAST_SAMPLES:
            return self._untried(graph)
        fitted, judged = _samples(self._levels, affordable, bool(self._corrections))
        assigned = {name: self._assigned(graph, method, objective) for name, method, objective in CANDIDATES}
        graphs = {name: result.graph for name, result in assigned.items()}
        left = {name: self._tried(fitted, judged, [candidate])[1] for name, candidate in graphs.items()}
        graphs[NEAREST], left[NEAREST] = self._tried(fitted, judged, list(graphs.values()))
        chosen = min(left, key=lambda name: left[name])
        notes = [*assigned[CANDIDATES[0][0]].notes, _sentence(chosen, left, len(judged))]
        if left[chosen] >= MUCH:
            notes.append(self._advice(left[chosen]))
        figures: dict[str, int | float | str] = {"chosen": chosen}
        figures |= {f"unexplained ({name})": value for name, value in left.items()}
        return PassResult(graphs[chosen], True, figures, tuple(notes))

    def _assigned(self, graph: Graph, method: str, objective: int) -> PassResult:
        assign = AssignThresholds(self._timesteps, method, per_channel=self._per_channel, objective=objective)
        return assign.run(graph)

    def _advice(self, left: float) -> str:
        ways = [] if "weights" in self._corrections else [CALIBRATE_OPTION]
        ways += [] if self._lead else [lead_option(self._timesteps)]
        ways += [f"a T above {self._timesteps}"] if self._timesteps > 4 else ["a larger T", "snnc finetune"]
        return (
            f"much is lost on the way to spikes: {left:.0%} of the ANN's output stays unexplained at T = "
            f"{self._timesteps}; what helps: {', '.join(ways)}"
        )

    def _untried(self, graph: Graph) -> PassResult:
        """The first candidate, for networks that are too large to be run with several."""
        name, method, objective = CANDIDATES[0]
        result = self._assigned(graph, method, objective)
        note = f"thresholds by {name}: the network is too large, or T, to try others on calibration data"
        return replace(result, notes=(*result.notes, note))

    def _tried(
        self, fitted: NDArray[np.uint8], judged: NDArray[np.uint8], candidates: Sequence[Graph]
    ) -> tuple[Graph, float]:
        """Runs a network.

        Args:
            fitted: The samples that its corrections rest on.
            judged: Those that it is judged on.
            candidates: One network with thresholds, or several of which each layer or channel takes the nearest.

        Returns:
            The network with the thresholds that it ran with, uncorrected, and what they leave unexplained.
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
                op = fit.after(layers[0], node.op, until="thresholds")
                if isinstance(op, SpikingLayer):
                    proposals = [_levels_of(candidate[node.name].op) for candidate in candidates]
                    threshold, potential = self._nearest(layers[0], op, proposals)
                    op = replace(op, threshold=threshold, initial_potential=potential)
                    graph.replace(node.name, _with_thresholds_of(op, node.op))
                op = fit.after(layers[0], op, since="thresholds")
                if isinstance(op, Readout):
                    left = _left(layers[-1], op)
                for walk, layer in zip(walks, layers, strict=True):
                    walk.send(layer, op)
        return graph, left

    def _nearest(
        self, layer: LayerData, op: SpikingLayer, proposals: list[tuple[FloatArray, FloatArray]]
    ) -> tuple[FloatArray, FloatArray]:
        """For each channel, or for the layer, those thresholds and potentials whose rates come nearest to the ANN."""
        if len(proposals) == 1:
            return proposals[0]
        errors = torch.zeros(len(proposals), layer.node.shape[0], dtype=torch.float64)
        for samples in layer.batches(layer.few):
            drive, wanted = layer.drive(op, samples), layer.ann_activation(samples)
            for index, (threshold, potential) in enumerate(proposals):
                arrives = drive
                if "spread" in self._corrections:
                    potential, each_step = parted(potential, self._timesteps)
                    arrives = drive + layer.per_channel(each_step, drive)
                tried = replace(op, threshold=threshold, initial_potential=potential)
                errors[index] += rate_errors(layer, tried, arrives, wanted)
        if not self._per_channel:
            errors = errors.sum(1, keepdim=True).expand_as(errors)
        best = errors.argmin(0).numpy()
        channels = np.arange(len(best))
        thresholds, potentials = (np.stack(each) for each in zip(*proposals, strict=True))
        return held_together(thresholds[best, channels], potentials[best, channels])


def _is_trained(graph: Graph, timesteps: int) -> bool:
    """Whether all layers are those of a network that was trained as a spiking one for so many steps."""
    activations = [node.op.activation for node in graph if isinstance(node.op, SpikingLayer)]
    return bool(activations) and all(
        isinstance(each, IntegrateAndFire) and each.timesteps == timesteps for each in activations
    )


def _multiplications(graph: Graph) -> int:
    """Of one sample in one step, as if every input fired; at least 1."""
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
    """Calibration samples to correct a network on and to judge it on; the same where nothing is fitted to them.

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


def unexplained(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """How much of the ANN's output the spiking network's does not explain, 0..1.

    ``1 - r**2``, r the correlation of the two over all samples; of several channels each sample's mean is taken away
    first, since what is added to all of them changes no decision, and so does a common factor. Few spikes shrink the
    outputs of a network that still decides well: squared errors or divergences of probabilities would count that.

    Args:
        found: (samples, channels, ...).
        wanted: Likewise.
    """
    one, other = (_centred(each.double()) for each in (found, wanted))
    norm = float(one.norm() * other.norm())
    correlation = float((one * other).sum()) / norm if norm else 0.0
    return 1 - max(0.0, correlation) ** 2


def _centred(values: torch.Tensor) -> torch.Tensor:
    return values - values.mean(1 if values.shape[1] > 1 else 0, keepdim=True)


def _levels_of(op: Operation) -> tuple[FloatArray, FloatArray]:
    assert isinstance(op, SpikingLayer)
    assert op.threshold is not None and op.initial_potential is not None
    return op.threshold, op.initial_potential


def _with_thresholds_of(op: SpikingLayer, uncorrected: Operation) -> SpikingLayer:
    assert isinstance(uncorrected, SpikingLayer)
    return replace(uncorrected, threshold=op.threshold, initial_potential=op.initial_potential)


def objective_met(method: str, objective: int, notes: Sequence[str]) -> int:
    """Which error thresholds were chosen for, m.

    Args:
        method: The way they were chosen, as on the command line.
        objective: The option; of ways that look at no error, 1.
        notes: What the compilation noted: with ``AUTOMATIC`` they say which way was taken.
    """
    if method == "mse":
        return 2
    if method != AUTOMATIC:
        return objective
    # What is nearest to each activation is so by its squared error.
    squared = (*(name for name, _, m in CANDIDATES if m == 2), NEAREST)
    return 2 if any(note.startswith(f"thresholds by {name}") for note in notes for name in squared) else 1


def _sentence(chosen: str, left: Mapping[str, float], samples: int) -> str:
    tried = ", ".join(f"{name} {value:.1%}" for name, value in left.items())
    return (
        f"thresholds by {chosen} (of the variance of the ANN's output the network leaves unexplained on "
        f"{samples:,} calibration samples: {tried})"
    )
