"""Thresholds that the network was trained with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.compiler.ir import Graph, SpikingLayer
from snnc.compiler.passes.conditions import spiking, thresholds_assigned
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError

# The method's name on the command line, beside those of the solver.
LEARNED = "learned"


class AssignLearnedThresholds(Pass):
    """Takes the threshold of each layer from its activation, with the initial potential ``v0 = Vth / 2``.

    A network trained with truncated ReLUs (Deng and Gu 2021) or staircases (QCFS, Bu et al. 2022) carries them; all
    channels of a layer have the same. A layer whose activation has none is refused, average pooling that spikes by
    itself included: nothing is guessed.
    """

    title = "taking the learned thresholds"
    requires = (spiking,)
    ensures = (thresholds_assigned,)

    def run(self, graph: Graph) -> PassResult:
        """Assigns them."""
        graph = graph.copy()
        for node in graph.of_kind(SpikingLayer):
            assert isinstance(node.op, SpikingLayer)
            if node.op.learned_threshold is None:
                raise UnsupportedError(
                    "the layer has no learned threshold",
                    where=node.where,
                    expected="snnc.models.ClippedReLU or QCFS as its activation",
                    advice="choose another --threshold, such as data-driven",
                )
            threshold = np.full(node.shape[0], node.op.learned_threshold)
            graph.replace(node.name, replace(node.op, threshold=threshold, initial_potential=threshold / 2))
        return PassResult(graph, True, {"layers": len(graph.of_kind(SpikingLayer))})
