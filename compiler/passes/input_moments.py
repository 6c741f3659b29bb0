"""What a synapse reads on the calibration data: the means and the covariance of its windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.float_simulation import simulate
from snnc.compiler.ir import Conv2d, Graph, Linear, Readout, Relay, SpikeMax2d, SpikingLayer, Weighted
from snnc.compiler.ir.ops import FloatArray
from snnc.compiler.ir.windows import windows

# Beyond so many inputs of a neuron a covariance takes too long, and rounding errors of that many average out; a linear
# layer has one window for each sample only.
FAN_IN_MAXIMUM, LINEAR_FAN_IN_MAXIMUM = 1152, 4096
# Samples that are simulated: as many as these steps allow, within bounds.
STEPS, SAMPLES_LEAST, SAMPLES_MAXIMUM = 256, 16, 128
# The input is there without a simulation.
INPUT_SAMPLES_MAXIMUM = 512
# Windows that are looked at: as many as this many multiplications allow, within bounds.
PRODUCTS = 1 << 33
WINDOWS_MAXIMUM = 1 << 17
WINDOWS_PER_INPUT = 4

# A synapse of a network: the name of its layer, and its place among the layer's synapses.
Place = tuple[str, int]


@dataclass(frozen=True, eq=False)
class InputMoments:
    """Moments of what one synapse reads, padded zeros included.

    Attributes:
        mean: The mean value of every neuron of the source, (*source shape): of the input in levels, of a layer in
            spikes for each step.
        covariance: Of the values within a window, for each group, (groups, fan-in, fan-in), where fan-in counts
            channels first, then rows and columns of the kernel, as the weights do.
        windows: Number of windows that they were measured on.
    """

    mean: FloatArray
    covariance: FloatArray
    windows: int


def input_moments(graph: Graph, levels: NDArray[np.uint8], timesteps: int, lead: int = 0) -> dict[Place, InputMoments]:
    """The moments of what every convolution and linear synapse of a network reads, where its fan-in allows.

    Args:
        graph: A network of spiking layers with thresholds.
        levels: Calibration data as input levels, (samples, *input shape); some of them are looked at.
        timesteps: T.
        lead: Steps that each layer integrates before it may fire.
    """
    wanted = min(max(STEPS // timesteps, SAMPLES_LEAST), SAMPLES_MAXIMUM)
    values = torch.as_tensor(levels[:: -(-len(levels) // wanted)], dtype=torch.float32)
    populations = graph.of_kind(SpikingLayer, SpikeMax2d, Relay)
    rates = dict(simulate(graph, values, timesteps, lead=lead, keep=[node.name for node in populations]).rates)
    # Spikes for each step; of the input its levels.
    whole = torch.as_tensor(levels[:: -(-len(levels) // INPUT_SAMPLES_MAXIMUM)], dtype=torch.float32)
    sent: dict[str, torch.Tensor] = {graph.input.name: whole}
    thresholds: dict[str, FloatArray] = {}
    for node in populations:
        if isinstance(node.op, SpikingLayer):
            assert node.op.threshold is not None
            thresholds[node.name] = node.op.threshold
        elif node.inputs[0] in thresholds:
            thresholds[node.name] = thresholds[node.inputs[0]]
        else:
            # A relay of the input, whose spikes are not known here.
            del rates[node.name]
            continue
        unit = torch.as_tensor(thresholds[node.name], dtype=torch.float32).reshape(-1, *(1,) * (len(node.shape) - 1))
        sent[node.name] = rates.pop(node.name) / unit
    found: dict[Place, InputMoments] = {}
    for node in graph.of_kind(SpikingLayer, Readout):
        assert isinstance(node.op, SpikingLayer | Readout)
        for place, (synapse, source) in enumerate(zip(node.op.synapses, node.inputs, strict=True)):
            if has_moments(synapse) and source in sent:
                assert isinstance(synapse, Conv2d | Linear)
                found[node.name, place] = measure_input_moments(synapse, sent[source])
    return found


def has_moments(synapse: Weighted) -> bool:
    """Whether the moments of what a synapse reads are measured."""
    if not isinstance(synapse, Conv2d | Linear):
        return False
    largest = LINEAR_FAN_IN_MAXIMUM if isinstance(synapse, Linear) else FAN_IN_MAXIMUM
    return bool(synapse.weight[0].size <= largest)


def measure_input_moments(synapse: Conv2d | Linear, values: torch.Tensor) -> InputMoments:
    """The moments of what a synapse reads.

    Args:
        synapse: The operation.
        values: What its source sends, (samples, *source shape).
    """
    groups = synapse.groups if isinstance(synapse, Conv2d) else 1
    fan_in = synapse.weight[0].size
    wanted = min(max(PRODUCTS // fan_in**2, WINDOWS_PER_INPUT * fan_in), WINDOWS_MAXIMUM)
    total = torch.zeros(groups, fan_in, dtype=torch.float64)
    products = torch.zeros(groups, fan_in, fan_in, dtype=torch.float64)
    count = 0
    for index, sample in enumerate(values):
        read = windows(synapse, sample.double()[None]).reshape(groups, fan_in, -1)
        # Every so manyeth window, in each sample from another one on.
        skipped = max(1, len(values) * read.shape[2] // wanted)
        read = read[:, :, index % skipped :: skipped]
        total += read.sum(2)
        products += read @ read.transpose(1, 2)
        count += read.shape[2]
    mean = total / max(count, 1)
    covariance = products / max(count, 1) - mean[:, :, None] * mean[:, None, :]
    return InputMoments(values.double().mean(0).numpy(), covariance.numpy(), count)
