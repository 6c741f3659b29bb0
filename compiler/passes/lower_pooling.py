"""Average pooling as convolution."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import AvgPool2d, Conv2d, Graph
from snnc.compiler.passes.conditions import without
from snnc.compiler.passes.manager import Pass, PassResult


class LowerPooling(Pass):
    """Writes every average pooling as the depthwise convolution that it is.

    A later pass folds it into the linear operation that follows, where that is exact, and else makes it a spiking
    layer of its own.
    """

    title = "writing average pooling as convolutions"
    ensures = (without(AvgPool2d),)

    def run(self, graph: Graph) -> PassResult:
        """Replaces the nodes."""
        graph = graph.copy()
        nodes = graph.of_kind(AvgPool2d)
        for node in nodes:
            pool = node.op
            assert isinstance(pool, AvgPool2d)
            channels, (height, width) = node.shape[0], pool.kernel
            weight = np.full((channels, 1, height, width), 1 / (height * width))
            convolution = Conv2d(weight, np.zeros(channels), pool.stride, pool.padding, groups=channels)
            graph.replace(node.name, convolution)
        return PassResult(graph, bool(nodes), {"pooling": len(nodes)})
