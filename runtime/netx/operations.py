"""Synaptic operations of a run, counted as :mod:`snnc.runtime.energy` counts them."""

from __future__ import annotations

import numpy as np

from snnc.compiler.netx import Connections, NetxNetwork
from snnc.compiler.program import Synapse
from snnc.runtime.energy.operations import fan_out
from snnc.runtime.netx.result import NetxResult


def as_synapse(connections: Connections) -> Synapse:
    """The same connections, without their shift and delays, as programs have them."""
    return Synapse(
        source=-1,
        kind=connections.kind,
        weight=connections.weight.astype(np.int16),
        stride=connections.stride,
        padding=connections.padding,
        dilation=connections.dilation,
        groups=connections.groups,
    )


def synaptic_operations(network: NetxNetwork, result: NetxResult) -> tuple[int, ...]:
    """For each block the spikes that arrived at its synapses, over all samples and steps; 0 for an input block.

    Args:
        network: The network that ran.
        result: What it gave.
    """
    arriving = [result.input_counts, *result.spike_counts]
    operations = []
    for index, block in enumerate(network.blocks):
        counts = arriving[index]
        if block.connections is None or counts is None:
            operations.append(0)
            continue
        reached = fan_out(as_synapse(block.connections), network.source_shape(index))
        returned = int(result.spike_counts[index].sum()) * block.size if block.recurrent else 0
        operations.append(int((counts.reshape(reached.shape) * reached).sum()) + returned)
    return tuple(operations)
