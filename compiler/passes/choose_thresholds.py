"""Which way of choosing thresholds suits a network: tried on the calibration data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.calibration import Calibrator
from snnc.compiler.calibration.layer_data import LayerData
from snnc.compiler.ir import Graph, Operation, Readout, Relay, SpikeMax2d, SpikingLayer
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.assign_thresholds import AssignThresholds, held_together
from snnc.compiler.passes.conditions import profiled, thresholds_assigned
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.compiler.program import InputCoding

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


class ChooseThresholds(Pass):
    """Tries several ways of choosing thresholds, and takes the one whose network comes nearest to the ANN.

    Which thresholds are the best depends on the network, on T, and on what else is done about errors: finer levels cost
    clipping, and what spikes that come unevenly do to a layer no formula for a constant input says. So the network is
    run with each on calibration data, corrected and with lead as it will be, but in floating point: with the thresholds
    of m = 2, of m = 1, of the percentile, and with those among the three that come, for each layer or channel, nearest
    to the ANN's activations on the spikes that it then receives. What counts is the output of the whole network
    (:func:`unexplained`); no labels are needed.

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
        largest = max(math.prod(node.shape) for node in graph)
        samples = max(LEAST_SAMPLES, min(SAMPLES, VALUES_MAXIMUM // largest))
        levels = self._levels[:: -(-len(self._levels) // samples)]
        assigned = {
            name: AssignThresholds(self._timesteps, method, per_channel=self._per_channel, objective=objective).run(
                graph
            )
            for name, method, objective in CANDIDATES
        }
        graphs = {name: result.graph for name, result in assigned.items()}
        left = {}
        for name, candidate in list(graphs.items()):
            left[name] = self._tried(levels, [candidate])[1]
        graphs[NEAREST], left[NEAREST] = self._tried(levels, list(graphs.values()))
        chosen = min(left, key=lambda name: left[name])
        notes = list(assigned[CANDIDATES[0][0]].notes)
        notes.append(_sentence(chosen, left, len(levels)))
        figures: dict[str, int | float | str] = {"chosen": chosen}
        figures |= {f"unexplained ({name})": value for name, value in left.items()}
        return PassResult(graphs[chosen], True, figures, tuple(notes))

    def _tried(self, levels: NDArray[np.uint8], candidates: list[Graph]) -> tuple[Graph, float]:
        """Runs a network.

        Args:
            levels: The samples.
            candidates: One network with thresholds, or several of which each layer or channel takes the nearest.

        Returns:
            The network with the thresholds that it ran with, uncorrected, and what they leave unexplained.
        """
        graph = candidates[0].copy()
        calibrator = Calibrator(graph, levels, self._coding, self._timesteps, self._corrections, lead=self._lead)
        left = 0.0
        with torch.no_grad():
            for node in candidates[0].of_kind(SpikingLayer, Readout, SpikeMax2d, Relay):
                if isinstance(node.op, SpikeMax2d | Relay):
                    calibrator.pass_on(node)
                    continue
                layer = calibrator.layer(node)
                proposals = [candidate[node.name].op for candidate in candidates]
                assert isinstance(node.op, SpikingLayer | Readout)
                op = calibrator.after(layer, node.op, until="thresholds")
                if isinstance(op, SpikingLayer):
                    threshold, potential = self._nearest(layer, op, [_levels_of(each) for each in proposals])
                    op = replace(op, threshold=threshold, initial_potential=potential)
                    graph.replace(node.name, _with_thresholds_of(op, node.op))
                op = calibrator.after(layer, op, since="thresholds")
                if isinstance(op, Readout):
                    parts = list(layer.batches())
                    left = unexplained(
                        torch.cat([layer.mean_drive(op, part) for part in parts]),
                        torch.cat([layer.ann_drive(part) for part in parts]),
                    )
                calibrator.send(layer, op)
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
                tried = replace(op, threshold=threshold, initial_potential=potential)
                rates = layer.spikes(tried, drive).mean(0)
                errors[index] += ((rates - wanted) ** 2).sum(dim=layer.other_axes).double()
        if not self._per_channel:
            errors = errors.sum(1, keepdim=True).expand_as(errors)
        best = errors.argmin(0).numpy()
        channels = np.arange(len(best))
        thresholds, potentials = (np.stack(each) for each in zip(*proposals, strict=True))
        return held_together(thresholds[best, channels], potentials[best, channels])


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


def _sentence(chosen: str, left: Mapping[str, float], samples: int) -> str:
    tried = ", ".join(f"{name} {value:.1%}" for name, value in left.items())
    return (
        f"thresholds by {chosen} (of the variance of the ANN's output the network leaves unexplained on "
        f"{samples:,} calibration samples: {tried})"
    )
