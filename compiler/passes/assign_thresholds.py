"""Thresholds and initial potentials from the profile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.compiler.ir import Graph, IntegrateAndFire, Node, SpikingLayer
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.conditions import profiled, thresholds_assigned
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.compiler.solver import solve_distributions
from snnc.compiler.solver.rounding import rounded

# The largest threshold of a layer's channels over the smallest.
WIDEST = 16.0


class AssignThresholds(Pass):
    """Solves for the threshold and the initial potential of each layer or of each of its channels.

    Args:
        timesteps: T.
        method: A key of ``snnc.compiler.solver.METHODS``.
        per_channel: One threshold for each channel instead of one for the layer; none smaller than a sixteenth of the
            largest.
        objective: m, 1 or 2, of the error that the method minimises.
    """

    title = "choosing thresholds"
    requires = (profiled,)
    ensures = (thresholds_assigned,)

    def __init__(self, timesteps: int, method: str, *, per_channel: bool, objective: int = 1) -> None:
        self._timesteps = timesteps
        self._method = method
        self._per_channel = per_channel
        self._objective = objective

    def run(self, graph: Graph) -> PassResult:
        """Assigns them."""
        graph = graph.copy()
        notes = []
        if any(_was_trained(node) for node in graph.of_kind(SpikingLayer)):
            notes.append("the network was trained with thresholds of its own, which --threshold learned takes")
        error = total = 0.0
        for node in graph.of_kind(SpikingLayer):
            assert isinstance(node.op, SpikingLayer) and node.op.profile is not None
            sketch = node.op.profile.activations
            assert sketch is not None
            dead = int((sketch.maximum <= 0).sum())
            if dead:
                notes.append(f"{node.where}: {dead} of {len(sketch)} channels never rise above zero in calibration")
            if self._per_channel:
                distributions = sketch.distributions(self._timesteps)
            else:
                distributions = [sketch.distribution(self._timesteps)]
            solutions = solve_distributions(distributions, self._timesteps, self._method, objective=self._objective)
            channels = np.ones(len(sketch))
            threshold = channels * [solution.threshold for solution in solutions]
            potential = channels * [solution.potential for solution in solutions]
            threshold, potential = held_together(threshold, potential)
            error += sum(solution.error for solution in solutions)
            # What the error would be if nothing ever fired.
            total += sum(each.power_sum(self._objective) for each in distributions if each)
            graph.replace(node.name, replace(node.op, threshold=threshold, initial_potential=potential))
        relative = error / total if total else 0.0
        return PassResult(graph, True, {"relative_conversion_error": relative}, tuple(notes))


def _was_trained(node: Node) -> bool:
    """Whether a layer is one of a network that was trained as a spiking one."""
    return isinstance(node.op, SpikingLayer) and isinstance(node.op.activation, IntegrateAndFire)


def held_together(threshold: FloatArray, potential: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Thresholds of a layer's channels, none smaller than a sixteenth of the largest, and potentials to go with them.

    A channel that hardly ever rises would have weights so large beside a tiny threshold that they decide how finely all
    others are rounded. Raised to a sixteenth of the largest threshold its own levels are still far finer than theirs.
    All are rounded to 16 significant bits, so that files do not show the last bits of what they were computed from.

    Args:
        threshold: (channels,), > 0.
        potential: (channels,); each keeps its share of its threshold.
    """
    raised = rounded(np.maximum(threshold, threshold.max() / WIDEST))
    return raised, potential * (raised / threshold)
