"""What a run cost in operations.

Conventions:

- A synaptic operation is one spike arriving at one synapse. A spike costs as many as its neuron has synapses: for a
  convolution the kernel positions and output channels that reach it, which are fewer at the border and depend on the
  stride; for a sparse synapse its entries. A synapse whose weight was rounded to zero counts, since the chip stores
  and visits it.
- Input that arrives in a step with a value other than 0 is one event, whatever its size; where the input is rate
  coded, its spikes count.
- A neuron update is one neuron in one of the T steps, or T + k with lead k, for layers without lead too: the chip
  updates all of them all the time. It is active where the neuron spikes. The readout's neurons count, and are never
  active.
- In a sigma-delta network a message takes the place of a spike and costs as much, whatever its size; what biases send
  once, while the network comes to rest, is no part of a sample. The neurons that send the input's changes are not
  counted, only what they send.
- What the construction on Loihi adds (a reset synapse for each neuron, biases, the pulses and the blank step between
  samples) is left out: the figures describe the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from snnc.program import CompiledNetwork, Synapse
from snnc.program.connections import window_output
from snnc.program.netx import NetxNetwork
from snnc.runtime.netx.drive import as_synapse
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.result import RunResult


@dataclass(frozen=True)
class OperationCounts:
    """Operations of a run, over all samples and steps.

    Attributes:
        samples: Number of samples.
        synaptic: Synaptic operations at the synapses into each layer, readout included.
        spikes: Spikes of each spiking layer.
        input_events: Input values other than 0, over all steps.
        active_updates: Neuron updates with a spike.
        inactive_updates: Neuron updates without.
    """

    samples: int
    synaptic: tuple[int, ...]
    spikes: tuple[int, ...]
    input_events: int
    active_updates: int
    inactive_updates: int

    @property
    def synaptic_total(self) -> int:
        """Synaptic operations of all layers."""
        return sum(self.synaptic)


def count_operations(program: CompiledNetwork, result: RunResult, steps: int | None = None) -> OperationCounts:
    """Count the operations of a run.

    Args:
        program: The program that ran.
        result: What it gave, from any backend.
        steps: After how many steps; None: T.
    """
    sources = {-1: result.input_counts, **dict(enumerate(result.spike_counts))}
    synaptic = tuple(
        sum(
            int((sources[synapse.source] * fan_out(synapse, program.source_shape(synapse.source))).sum())
            for synapse in layer.synapses
        )
        for layer in program.layers
    )
    spikes = tuple(int(counts.sum()) for counts in result.spike_counts)
    window = (steps or program.timesteps) + program.lead
    updates = sum(layer.neurons for layer in program.layers) * window * result.samples
    return OperationCounts(
        samples=result.samples,
        synaptic=synaptic,
        spikes=spikes,
        input_events=int(result.input_counts.sum()),
        active_updates=sum(spikes),
        inactive_updates=updates - sum(spikes),
    )


def count_netx_operations(network: NetxNetwork, result: NetxResult) -> tuple[int, ...]:
    """Count for each block the synaptic operations of a run of a netx file; 0 for an input block.

    Args:
        network: The network that ran.
        result: What it gave, from any backend.

    Returns:
        Sums over all samples and steps.
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


def fan_out(synapse: Synapse, source_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how many synapses each source neuron has.

    Args:
        synapse: The connections.
        source_shape: Shape of the layer, or of the input, that they read.

    Returns:
        int64, of shape ``source_shape``.
    """
    if synapse.entries is not None:
        counts = np.bincount(synapse.entries.columns, minlength=math.prod(source_shape))
        return counts.astype(np.int64).reshape(source_shape)
    if synapse.kind == "dense":
        return np.full(source_shape, len(synapse.weight), np.int64)
    # Every channel of a group reaches the same outputs, so one channel tells for all.
    height, width = source_shape[1:]
    kernel = synapse.weight.shape[2:]
    output = [
        window_output(*options)
        for options in zip((height, width), kernel, synapse.stride, synapse.padding, synapse.dilation, strict=True)
    ]
    # The transposed convolution of ones counts the kernel positions that read each value; what the stride leaves over
    # at the far end is padded.
    rest = [
        size + 2 * padding - dilation * (length - 1) - 1 - (reached - 1) * stride
        for size, length, stride, padding, dilation, reached in zip(
            (height, width), kernel, synapse.stride, synapse.padding, synapse.dilation, output, strict=True
        )
    ]
    positions = F.conv_transpose2d(
        torch.ones(1, 1, *output, dtype=torch.float64),
        torch.ones(1, 1, *kernel, dtype=torch.float64),
        stride=synapse.stride,
        padding=synapse.padding,
        output_padding=rest,
        dilation=synapse.dilation,
    )
    each = positions[0].numpy().round().astype(np.int64) * (len(synapse.weight) // synapse.groups)
    return np.broadcast_to(each, source_shape).copy()


def count_synapses(program: CompiledNetwork) -> tuple[int, ...]:
    """Return how many synapses reach each layer, readout included: one for each pair of connected neurons."""
    return tuple(
        sum(int(fan_out(synapse, program.source_shape(synapse.source)).sum()) for synapse in layer.synapses)
        for layer in program.layers
    )
