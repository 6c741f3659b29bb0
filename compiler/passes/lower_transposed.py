"""Transposed convolutions as what they are: the transpose of a convolution's matrix."""

from __future__ import annotations

import numpy as np

from snnc.compiler.ir import ConvTranspose2d, Graph, Shape, Sparse
from snnc.compiler.passes.conditions import without
from snnc.compiler.passes.manager import Pass, PassResult
from snnc.compiler.program.connections import convolution_matrix


class LowerTransposed(Pass):
    """Writes every transposed convolution entry by entry, since neither netx nor Lava has one."""

    title = "writing transposed convolutions as sparse weights"
    ensures = (without(ConvTranspose2d),)

    def run(self, graph: Graph) -> PassResult:
        """Replaces the nodes."""
        graph = graph.copy()
        nodes = graph.of_kind(ConvTranspose2d)
        for node in nodes:
            assert isinstance(node.op, ConvTranspose2d)
            graph.replace(node.name, transposed(node.op, graph[node.inputs[0]].shape))
        return PassResult(graph, bool(nodes), {"transposed": len(nodes)})


def transposed(op: ConvTranspose2d, shape: Shape) -> Sparse:
    """The operation entry by entry.

    Args:
        op: A transposed convolution.
        shape: Shape of its input.
    """
    output = op.output_shape(shape)
    # Its kernel, read as a convolution's, leads from the output's shape back to the input's.
    forward = convolution_matrix(
        op.weight, output, stride=op.stride, padding=op.padding, dilation=op.dilation, groups=op.groups
    )
    matrix = forward.T.tocsr()
    matrix.sort_indices()
    bias = np.broadcast_to(op.bias.reshape(-1, 1, 1), output).copy()
    return Sparse(matrix, bias, output, shape)
