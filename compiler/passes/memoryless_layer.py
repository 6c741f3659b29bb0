"""Populations that only pass spikes on."""

from __future__ import annotations

import math

import numpy as np

from snnc.compiler.ir import Node, Relay, SpikeMax2d
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.program import Entries, Layer, Membrane, Scaled, Synapse


def memoryless_layer(node: Node, source_shape: tuple[int, ...], source: int, scale: FloatArray) -> Layer:
    """A population that fires in the same step whenever a spike arrives.

    Args:
        node: A ``SpikeMax2d`` or ``Relay``.
        source_shape: Shape of what it reads.
        source: Index of that layer.
        scale: What a spike of it stands for, (channels,).
    """
    threshold = Scaled(2, 0)
    if isinstance(node.op, SpikeMax2d):
        kernel, stride, padding = node.op.kernel, node.op.stride, node.op.padding
    else:
        kernel, stride, padding = (1, 1), (1, 1), (0, 0)
    hold = node.op.hold if isinstance(node.op, Relay) else 0
    if len(node.shape) == 3:
        weight = np.full((node.shape[0], 1, *kernel), threshold.value, np.int16)
        synapse = Synapse(source, "conv", weight, stride, padding, groups=node.shape[0], hold=hold)
    else:
        size = node.shape[0]
        entries = Entries(np.arange(size + 1, dtype=np.int32), np.arange(size, dtype=np.int32))
        synapse = Synapse(source, "sparse", np.full(size, threshold.value, np.int16), hold=hold, entries=entries)
    return Layer(
        name=node.name,
        modules=node.modules,
        shape=node.shape,
        synapses=(synapse,),
        bias=np.zeros((node.shape[0], *(1,) * (len(node.shape) - 1)), np.int32),
        threshold=threshold,
        initial_potential=0,
        gate=None,
        scale=scale,
        membrane=Membrane((0, threshold.value * math.prod(kernel))),
        memoryless=True,
    )
