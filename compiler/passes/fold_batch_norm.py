"""Folding batch normalisation into the linear operation before it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.sparse import diags

from snnc.compiler.ir import Affine, BatchNorm, Conv2d, Graph, Linear, Sparse, Weighted
from snnc.compiler.passes.conditions import without
from snnc.compiler.passes.fold_affine import keeps_constants
from snnc.compiler.passes.manager import Pass, PassResult


class FoldBatchNorm(Pass):
    """Removes every batch normalisation.

    1. Behind a convolution or linear layer that nothing else reads: ``W' = diag(scale) W``, ``b' = scale b + shift``.
    2. Anywhere else, behind average pooling too, it becomes an ``Affine``, which :class:`FoldAffine` folds into what
       follows.
    """

    title = "folding batch normalisation"
    ensures = (without(BatchNorm),)

    def run(self, graph: Graph) -> PassResult:
        """Folds or rewrites the nodes."""
        graph = graph.copy()
        folded = moved = 0
        for node in graph.of_kind(BatchNorm):
            assert isinstance(node.op, BatchNorm)
            affine = node.op.as_affine()
            source = graph[node.inputs[0]]
            only_reader = len(graph.consumers(source.name)) == 1
            if isinstance(source.op, Conv2d | Linear | Sparse) and only_reader and not keeps_constants(source.op):
                graph.replace(node.name, scaled(source.op, affine), source.inputs, absorbed=source.modules)
                graph.remove_unread()
                folded += 1
            else:
                graph.replace(node.name, affine)
                moved += 1
        return PassResult(graph, folded + moved > 0, {"folded": folded, "kept_as_affine": moved})


def scaled(op: Weighted, affine: Affine) -> Weighted:
    """The linear operation followed by the affine map, as one."""
    if isinstance(op, Linear):
        return Linear(op.weight * affine.scale[:, None], op.bias * affine.scale + affine.shift)
    per_channel = (-1,) + (1,) * (op.bias.ndim - 1)
    bias = op.bias * affine.scale.reshape(per_channel) + affine.shift.reshape(per_channel)
    if isinstance(op, Sparse):
        rows = np.repeat(affine.scale, math.prod(op.shape[1:]))
        return replace(op, matrix=(diags(rows) @ op.matrix).tocsr(), bias=bias)
    return replace(op, weight=op.weight * affine.scale.reshape(-1, 1, 1, 1), bias=bias)
