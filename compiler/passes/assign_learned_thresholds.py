"""Thresholds that the network was trained with."""

from __future__ import annotations

from dataclasses import replace

from snnc.compiler.ir import Graph, IntegrateAndFire, SpikingLayer
from snnc.compiler.passes.conditions import spiking, thresholds_assigned
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError

# The method's name on the command line, beside those of the solver.
LEARNED = "learned"


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
    requires = (spiking,)
    ensures = (thresholds_assigned,)

    def __init__(self, timesteps: int | None = None) -> None:
        self._timesteps = timesteps

    def run(self, graph: Graph) -> PassResult:
        """Assigns them."""
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
        notes = (
            [f"the network was trained for T = {', '.join(map(str, sorted(others)))}, not {self._timesteps}"]
            if others and self._timesteps is not None
            else []
        )
        return PassResult(graph, True, {"layers": len(graph.of_kind(SpikingLayer))}, tuple(notes))
