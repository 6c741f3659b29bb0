"""A float layer that computes what its integers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snnc.compiler.ir import Readout, Shape, Sparse, SpikingLayer, Weighted
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.passes.normalize import normalized_weight
from snnc.compiler.program import Layer


def dequantized(
    op: SpikingLayer | Readout, layer: Layer, thresholds: Sequence[FloatArray], shapes: Sequence[Shape]
) -> SpikingLayer | Readout:
    """The layer with the weights, biases and initial potentials that its integers stand for.

    Args:
        op: The layer before it was quantised.
        layer: Its integers.
        thresholds: For each synapse what a spike of each channel of its source stands for, (channels,).
        shapes: For each synapse the shape of its source.
    """
    unit = op.threshold if isinstance(op, SpikingLayer) and op.threshold is not None else np.ones(layer.shape[0])
    theta = float(layer.threshold.value) if layer.threshold else 1 / float(layer.scale[0])
    synapses: list[Weighted] = []
    for synapse, integers, threshold, shape in zip(op.synapses, layer.synapses, thresholds, shapes, strict=True):
        ones = _with_weight(synapse, np.ones(integers.weight.shape))
        weight = integers.scaled_weight / theta / normalized_weight(ones, unit, threshold, shape)
        synapses.append(replace(_with_weight(synapse, weight), bias=np.zeros_like(synapse.bias)))
    bias = layer.bias / theta * unit.reshape(-1, *(1,) * (layer.bias.ndim - 1))
    if isinstance(synapses[0], Sparse):
        bias = np.broadcast_to(bias, layer.shape)
    elif bias.size == len(bias):
        bias = bias.reshape(-1)
    synapses[0] = replace(synapses[0], bias=bias)
    op = replace(op, synapses=tuple(synapses))
    if isinstance(op, SpikingLayer):
        # Half a unit more, which no integer sees: floating point then cannot miss a potential that meets the threshold.
        potential = unit * ((layer.initial_potential + 0.5) / theta)
        return replace(op, initial_potential=potential)
    return op


def _with_weight(synapse: Weighted, weight: FloatArray) -> Weighted:
    if isinstance(synapse, Sparse):
        matrix = synapse.matrix.copy()
        matrix.data = weight
        return replace(synapse, matrix=matrix)
    return replace(synapse, weight=weight)
