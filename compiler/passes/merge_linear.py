"""Leaving one linear operation between any two spiking layers."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import Conv2d, Flatten, Graph, Input, Linear, Node, ReLU
from snnc.compiler.passes.compose import into_conv2d, into_linear
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.errors import UnsupportedError


class MergeLinear(Pass):
    """Composes linear operations that follow each other without a ReLU.

    1. Behind the last ReLU, a flatten before the output gets an identity matrix, so that rule 2 can take it.
    2. Anything linear before a linear layer, through a flatten or not, is folded into its matrix.
    3. A convolution (pooling is one) before a convolution is folded into its kernel where that is exact.
    4. Where it is not, a first operation without negative weights and bias, behind a ReLU or the input's levels, is
       not changed by a ReLU, so it gets one: average pooling becomes a spiking layer of its own.
    5. Anything else is refused.
    """

    title = "merging linear operations"

    def run(self, graph: Graph) -> PassResult:
        """Merges until no linear operation reads another."""
        graph = graph.copy()
        output = graph.output
        before = graph[output.inputs[0]]
        ends_flat = isinstance(before.op, Flatten)
        if ends_flat:
            features = before.shape[0]
            graph.insert_after(before.name, f"{before.name}:readout", Linear(np.eye(features), np.zeros(features)))
        folded = own_layers = 0
        notes = []
        for node in list(graph):
            while isinstance(graph[node.name].op, Conv2d | Linear):
                current = graph[node.name]
                first = graph.value_read_by(current)
                if not isinstance(first.op, Conv2d | Linear):
                    break
                merged = _merge(graph, first, current)
                if merged is None:
                    _check_positive(graph, first, current)
                    graph.insert_after(first.name, f"{first.name}:spiking", ReLU(), modules=first.modules)
                    notes.append(f"{first.where}: does not fold into {current.where} exactly, so it spikes by itself")
                    own_layers += 1
                    break
                graph.replace(node.name, merged, first.inputs, absorbed=first.modules)
                folded += 1
        graph.remove_unread()
        stats: dict[str, int | float | str] = {"folded": folded, "own_layers": own_layers}
        return PassResult(graph, ends_flat or folded + own_layers > 0, stats, tuple(notes))


def _merge(graph: Graph, first: Node, second: Node) -> Conv2d | Linear | None:
    shape = graph[first.inputs[0]].shape
    assert isinstance(first.op, Conv2d | Linear)
    if isinstance(second.op, Linear):
        return into_linear(first.op, second.op, shape)
    if isinstance(first.op, Conv2d) and isinstance(second.op, Conv2d):
        return into_conv2d(first.op, second.op, shape)
    return None


def _check_positive(graph: Graph, first: Node, second: Node) -> None:
    source = graph.value_read_by(first)
    assert isinstance(first.op, Conv2d | Linear)
    positive = (first.op.weight >= 0).all() and (first.op.bias >= 0).all()
    if not (positive and isinstance(source.op, ReLU | Input)):
        raise UnsupportedError(
            f"{first.op.kind} and {second.op.kind} follow each other without a ReLU and cannot be merged exactly",
            where=f"{first.where} -> {second.where}",
            advice="put a ReLU between them, or take the padding off the second one",
        )
