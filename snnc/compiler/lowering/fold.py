"""Folding normalisation, of the input and of batches, into the weights around it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import diags

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.ir import Affine, BatchNorm, Conv2d, Flatten, Graph, Linear, Node, Sparse, Weighted
from snnc.compiler.ir.passes import Counts, Pass, PassResult, without


class NormalizeInput(Pass):
    """Puts the map from input levels to what the ANN saw after the input: the graph then takes levels.

    Args:
        scale: ANN input per level, (channels,).
        shift: ANN input at level 0, (channels,).
    """

    title = "normalising the input"

    def __init__(self, scale: FloatArray, shift: FloatArray) -> None:
        self._affine = Affine(scale, shift)

    def run(self, graph: Graph) -> PassResult:
        """Insert the map."""
        graph = graph.copy()
        graph.insert_after(graph.input.name, graph.free_name("normalization"), self._affine)
        return PassResult(graph, True)


class FoldAffine(Pass):
    """Removes every ``Affine``, by these rules for each node that reads it.

    1. Convolution: ``W' = W diag(scale)``; the shift goes through the convolution into the bias. Where the
       convolution pads, it padded the shifted values with zeros, so the bias differs at the border and becomes a map.
    2. Linear, sparse: the same, without a border.
    3. Average pooling without padding: the map moves after it unchanged. Flatten: it moves after it too, one number
       for each feature.
    4. Affine: the two become one.
    5. Anything else, such as a ReLU: the map becomes a convolution with a 1x1 kernel for each channel, or a linear
       layer with a diagonal matrix.
    """

    title = "folding normalisation into weights"
    ensures = (without(Affine),)
    acts_on = (Affine,)

    def run(self, graph: Graph) -> PassResult:
        """Move the maps forward until none is left."""
        graph = graph.copy()
        folded = 0
        while nodes := graph.of_kind(Affine):
            node = nodes[0]
            folded += 1
            for consumer in graph.consumers(node.name):
                if not _fold(graph, node, consumer):
                    graph.replace(node.name, _as_linear_operation(node))
                    break
            else:
                graph.remove_unread()
        return PassResult(graph, folded > 0, Counts({"folded": folded}))


def _fold(graph: Graph, node: Node, consumer: Node) -> bool:
    """Fold one affine map into one of its readers; False where rule 5 has to be taken."""
    affine, source = node.op, node.inputs
    assert isinstance(affine, Affine)
    match consumer.op:
        case Conv2d() if keeps_constants(consumer.op):
            graph.replace(consumer.name, consumer.op, source)
            graph.insert_after(
                consumer.name, graph.free_name(f"{node.name}:{consumer.name}"), affine, modules=node.modules
            )
        case Conv2d():
            graph.replace(consumer.name, _into_conv2d(affine, consumer.op, node.shape), source, absorbed=node.modules)
        case Linear():
            features = _each_feature(affine, node.shape)
            bias = consumer.op.bias + consumer.op.weight @ features.shift
            graph.replace(
                consumer.name, Linear(consumer.op.weight * features.scale, bias), source, absorbed=node.modules
            )
        case Sparse():
            features = _each_feature(affine, node.shape)
            bias = consumer.op.bias + (consumer.op.matrix @ features.shift).reshape(consumer.op.shape)
            matrix = (consumer.op.matrix @ diags(features.scale)).tocsr()
            graph.replace(consumer.name, replace(consumer.op, matrix=matrix, bias=bias), source, absorbed=node.modules)
        case Flatten():
            graph.replace(consumer.name, consumer.op, source)
            moved = f"{node.name}:{consumer.name}"
            graph.insert_after(consumer.name, moved, _each_feature(affine, node.shape), modules=node.modules)
        case Affine():
            both = Affine(consumer.op.scale * affine.scale, consumer.op.scale * affine.shift + consumer.op.shift)
            graph.replace(consumer.name, both, source, absorbed=node.modules)
        case _:
            return False
    return True


def keeps_constants(op: Weighted) -> bool:
    """Return whether an operation keeps each channel's constant, as average pooling without padding does."""
    if not isinstance(op, Conv2d) or any(op.padding) or op.bias.any():
        return False
    depthwise = op.groups == op.weight.shape[0] and op.weight.shape[1] == 1
    return depthwise and bool(np.allclose(op.weight.sum(axis=(1, 2, 3)), 1, rtol=1e-12))


def _into_conv2d(affine: Affine, op: Conv2d, shape: tuple[int, ...]) -> Conv2d:
    per_group = affine.scale.reshape(op.groups, 1, op.weight.shape[1], 1, 1)
    grouped = op.weight.reshape(op.groups, -1, *op.weight.shape[1:])
    shifts = torch.as_tensor(np.broadcast_to(per_channel(affine.shift, len(shape)), shape).copy())
    drive = op.apply(shifts[None])[0].numpy()
    return replace(op, weight=(grouped * per_group).reshape(op.weight.shape), bias=without_constant_axes(drive))


def without_constant_axes(bias: FloatArray) -> FloatArray:
    """Return a bias map (channels, height, width) as (channels,) where each channel holds one number up to rounding."""
    first = bias[:, :1, :1]
    if np.allclose(bias, first, rtol=1e-12, atol=1e-12 * np.abs(bias).max(initial=0)):
        return np.ascontiguousarray(bias.mean(axis=(1, 2)))
    return bias


def _each_feature(affine: Affine, shape: tuple[int, ...]) -> Affine:
    """Return the map for a flattened input: one scale and shift for each feature."""
    repeats = int(np.prod(shape[1:], dtype=int))
    return Affine(np.repeat(affine.scale, repeats), np.repeat(affine.shift, repeats))


def _as_linear_operation(node: Node) -> Conv2d | Linear:
    affine = node.op
    assert isinstance(affine, Affine)
    if len(node.shape) == 1:
        return Linear(np.diag(affine.scale), affine.shift)
    return Conv2d(per_channel(affine.scale, 4), affine.shift, groups=len(affine.scale))


class FoldBatchNorm(Pass):
    """Removes every batch normalisation.

    1. Behind a convolution or linear layer that nothing else reads: ``W' = diag(scale) W``, ``b' = scale b + shift``.
    2. Anywhere else, after average pooling too, it becomes an ``Affine``, which :class:`FoldAffine` folds into what
       follows.
    """

    title = "folding batch normalisation"
    ensures = (without(BatchNorm),)
    acts_on = (BatchNorm,)

    def run(self, graph: Graph) -> PassResult:
        """Fold or rewrite the nodes."""
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
        return PassResult(graph, folded + moved > 0, Counts({"folded": folded, "kept_as_affine": moved}))


def scaled(op: Weighted, affine: Affine) -> Weighted:
    """Return the linear operation followed by the affine map, as one."""
    if isinstance(op, Linear):
        return Linear(op.weight * per_channel(affine.scale, 2), op.bias * affine.scale + affine.shift)
    axes = op.bias.ndim
    bias = op.bias * per_channel(affine.scale, axes) + per_channel(affine.shift, axes)
    if isinstance(op, Sparse):
        rows = np.repeat(affine.scale, math.prod(op.shape[1:]))
        return replace(op, matrix=(diags(rows) @ op.matrix).tocsr(), bias=bias)
    return replace(op, weight=op.weight * per_channel(affine.scale, 4), bias=bias)
