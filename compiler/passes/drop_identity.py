"""Dropping what does nothing at inference."""

from __future__ import annotations

from snnc.compiler.ir import Graph, Identity, Output, Softmax
from snnc.compiler.passes.conditions import without
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError


class DropIdentity(Pass):
    """Removes dropout and identities, and a softmax at the very end.

    1. ``Identity`` (``nn.Identity``, ``nn.Dropout``) does nothing at inference.
    2. ``Softmax`` before the output keeps the order of the classes: the readout then gives logits, and a note says so.
       A softmax anywhere else is refused.
    """

    title = "dropping what changes nothing"
    ensures = (without(Softmax),)

    def run(self, graph: Graph) -> PassResult:
        """Removes the nodes."""
        graph = graph.copy()
        dropped = 0
        notes = []
        # Identities first: one behind a softmax does not put it inside the network.
        for node in (*graph.of_kind(Identity), *graph.of_kind(Softmax)):
            if isinstance(node.op, Output):
                continue
            if isinstance(node.op, Softmax):
                if any(not isinstance(consumer.op, Output) for consumer in graph.consumers(node.name)):
                    raise UnsupportedError(
                        "a softmax inside the network cannot be computed by spiking neurons",
                        where=node.where,
                        advice="only a softmax at the output is taken off",
                    )
                notes.append(f"{node.where}: the softmax at the output was taken off, the readout gives logits")
            graph.remove(node.name)
            dropped += 1
        return PassResult(graph, dropped > 0, {"dropped": dropped}, tuple(notes))
