"""Giving each layer its thresholds: solved for, or as the network was trained with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snnc.common.arrays import FloatArray
from snnc.common.digits import rounded
from snnc.common.errors import UnsupportedError
from snnc.compiler.conversion.methods import LEARNED, METHODS
from snnc.compiler.conversion.solver import solve_distributions
from snnc.compiler.ir import Graph, IntegrateAndFire, Node, SpikingLayer
from snnc.compiler.ir.passes import Figures, Outcome, Pass, PassResult
from snnc.compiler.ir.spec import CONVERTED, LOWERED, PROFILED, has_thresholds
from snnc.program.provenance import ThresholdChoice

# The largest threshold of a layer's channels over the smallest.
WIDEST = 16.0
# The way's name on the command line, beside those of the solver.


@dataclass(frozen=True)
class ThresholdOutcome(Outcome):
    """How thresholds were chosen; the outcome of every pass that does so.

    Attributes:
        choice: What files keep of it.
    """

    choice: ThresholdChoice


@dataclass(frozen=True)
class DeadChannels:
    """Channels of a layer that never rise above zero in calibration.

    Attributes:
        where: The layer.
        dead: Their number.
        channels: Number of all its channels.
    """

    where: str
    dead: int
    channels: int


@dataclass(frozen=True)
class SolvedThresholds(ThresholdOutcome):
    """Thresholds out of the solver.

    Attributes:
        relative_error: Sum of the errors that the solver expects, over what it would be if nothing ever fired.
        dead: Layers that have dead channels.
        was_trained: Whether the network has thresholds of its own, which were not taken.
    """

    relative_error: float
    dead: tuple[DeadChannels, ...]
    was_trained: bool

    @property
    def figures(self) -> Figures:
        """The relative error."""
        return {"relative_conversion_error": self.relative_error}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        trained = "the network was trained with thresholds of its own, which --threshold learned takes"
        dead = (
            f"{each.where}: {each.dead} of {each.channels} channels never rise above zero in calibration"
            for each in self.dead
        )
        return (*([trained] if self.was_trained else []), *dead)


@dataclass(frozen=True)
class LearnedThresholds(ThresholdOutcome):
    """Thresholds that the network was trained with.

    Attributes:
        layers: Number of layers.
        timesteps: T; None: whatever the network was trained for.
        trained_for: Every other T that layers were trained for, in ascending order.
    """

    layers: int
    timesteps: int | None
    trained_for: tuple[int, ...]

    @property
    def figures(self) -> Figures:
        """The number of layers."""
        return {"layers": self.layers}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told."""
        if not self.trained_for or self.timesteps is None:
            return ()
        return (f"the network was trained for T = {', '.join(map(str, self.trained_for))}, not {self.timesteps}",)


class AssignThresholds(Pass):
    """Solves for the threshold and the initial potential of each layer or of each of its channels.

    Args:
        timesteps: T.
        method: A key of ``snnc.compiler.conversion.methods.METHODS``.
        per_channel: One threshold for each channel instead of one for the layer; none smaller than a sixteenth of the
            largest.
        objective: m, 1 or 2, of the error that the method minimises.
    """

    title = "choosing thresholds"
    requires = (PROFILED,)
    ensures = (CONVERTED,)

    def __init__(self, timesteps: int, method: str, *, per_channel: bool, objective: int = 1) -> None:
        self._timesteps = timesteps
        self._method = method
        self._per_channel = per_channel
        self._objective = objective

    def run(self, graph: Graph) -> PassResult:
        """Assign them."""
        graph = graph.copy()
        dead = []
        was_trained = any(_was_trained(node) for node in graph.of_kind(SpikingLayer))
        error = total = 0.0
        for node in graph.of_kind(SpikingLayer):
            assert isinstance(node.op, SpikingLayer) and node.op.profile is not None
            sketch = node.op.profile.activations
            assert sketch is not None
            silent = int((sketch.maximum <= 0).sum())
            if silent:
                dead.append(DeadChannels(node.where, silent, len(sketch)))
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
        choice = ThresholdChoice(self._method, METHODS[self._method].objective_met(self._objective))
        return PassResult(graph, True, SolvedThresholds(choice, relative, tuple(dead), was_trained))


def _was_trained(node: Node) -> bool:
    """Return whether a layer is one of a network that was trained as a spiking one."""
    return isinstance(node.op, SpikingLayer) and isinstance(node.op.activation, IntegrateAndFire)


def held_together(threshold: FloatArray, potential: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return thresholds of a layer's channels, none below a sixteenth of the largest, and potentials to go with them.

    A channel that hardly ever rises would have weights so large beside a tiny threshold that they decide how finely all
    others are rounded. Raised to a sixteenth of the largest threshold its own levels are still far finer than theirs.
    All are rounded to 16 significant bits, so that files do not show the last bits of what they were computed from.

    Args:
        threshold: (channels,), > 0.
        potential: (channels,); each keeps its share of its threshold.
    """
    raised = rounded(np.maximum(threshold, threshold.max() / WIDEST))
    return raised, potential * (raised / threshold)


class AssignLearnedThresholds(Pass):
    """Takes the thresholds and initial potentials of each layer from its activation.

    A network trained with truncated ReLUs (Deng and Gu 2021) or staircases (QCFS, Bu et al. 2022) carries one threshold
    for all channels of a layer, with ``v0 = Vth / 2``. One that was trained as a spiking network carries Vth and v0 for
    each channel, for a certain T; for another T a note says so. A layer whose activation has no threshold is refused,
    average pooling that spikes by itself included: nothing is guessed.

    Args:
        timesteps: T; None: whatever the network was trained for.
    """

    title = "taking the learned thresholds"
    requires = (LOWERED,)
    ensures = (LOWERED, has_thresholds)

    def __init__(self, timesteps: int | None = None) -> None:
        self._timesteps = timesteps

    def run(self, graph: Graph) -> PassResult:
        """Assign them."""
        graph = graph.copy()
        others = set()
        for node in graph.of_kind(SpikingLayer):
            assert isinstance(node.op, SpikingLayer)
            learned = node.op.activation.learned(node.shape[0])
            if learned is None:
                raise UnsupportedError(
                    "the layer has no learned threshold",
                    where=node.where,
                    expected="snnc.models.ClippedReLU or QCFS as its activation, or a network out of snnc finetune",
                    advice="choose another --threshold, such as data-driven",
                )
            if isinstance(node.op.activation, IntegrateAndFire) and node.op.activation.timesteps is not None:
                others.add(node.op.activation.timesteps)
            threshold, potential = learned
            graph.replace(node.name, replace(node.op, threshold=threshold, initial_potential=potential))
        others -= {self._timesteps}
        layers = len(graph.of_kind(SpikingLayer))
        outcome = LearnedThresholds(ThresholdChoice(LEARNED, None), layers, self._timesteps, tuple(sorted(others)))
        return PassResult(graph, True, outcome)
