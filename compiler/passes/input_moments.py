"""What a synapse reads on the calibration data: the means and the covariance of its windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from snnc.compiler.ir import Conv2d, Graph, Linear, Node, Readout, SpikingLayer, execute
from snnc.compiler.ir.ops import FloatArray

# Beyond so many inputs of a neuron a covariance takes too much memory, and rounding errors of that many average out.
FAN_IN_MAXIMUM = 4096
SAMPLES_MAXIMUM = 128
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
            spikes for each step (its activation in thresholds, 1 at most).
        covariance: Of the values within a window, for each group, (groups, fan-in, fan-in), where fan-in counts
            channels first, then rows and columns of the kernel, as the weights do.
    """

    mean: FloatArray
    covariance: FloatArray


def input_moments(graph: Graph, levels: NDArray[np.uint8]) -> dict[Place, InputMoments]:
    """The moments of what every convolution and linear synapse of a network reads, where its fan-in allows.

    Args:
        graph: A network of spiking layers with thresholds.
        levels: Calibration data as input levels, (samples, *input shape); up to 128 spread over them are looked at.
    """
    values = torch.as_tensor(levels[:: -(-len(levels) // SAMPLES_MAXIMUM)], dtype=torch.float32)
    found: dict[Place, InputMoments] = {}

    def observed(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if isinstance(node.op, SpikingLayer | Readout):
            for place, (synapse, source, value) in enumerate(zip(node.op.synapses, node.inputs, inputs, strict=True)):
                if not isinstance(synapse, Conv2d | Linear) or synapse.weight[0].size > FAN_IN_MAXIMUM:
                    continue
                found[node.name, place] = measure_input_moments(synapse, _rates(graph[source], value))
        return node.op.apply(*inputs)

    execute(graph, values, apply=observed)
    return found


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
        windows = _windows(synapse, sample.double()).reshape(groups, fan_in, -1)
        # Every so manyeth window, in each sample from another one on.
        skipped = max(1, len(values) * windows.shape[2] // wanted)
        windows = windows[:, :, index % skipped :: skipped]
        total += windows.sum(2)
        products += windows @ windows.transpose(1, 2)
        count += windows.shape[2]
    mean = total / max(count, 1)
    covariance = products / max(count, 1) - mean[:, :, None] * mean[:, None, :]
    return InputMoments(values.double().mean(0).numpy(), covariance.numpy())


def _rates(source: Node, values: torch.Tensor) -> torch.Tensor:
    """Spikes for each step; of the input its levels."""
    if not isinstance(source.op, SpikingLayer):
        return values
    threshold = torch.as_tensor(source.op.threshold, dtype=values.dtype)
    return (values / threshold.view(-1, *(1,) * (values.dim() - 2))).clamp(max=1)


def _windows(synapse: Conv2d | Linear, sample: torch.Tensor) -> torch.Tensor:
    """What every neuron reads, (channels x kernel, positions)."""
    if isinstance(synapse, Linear):
        return sample.reshape(-1, 1)
    unfolded: torch.Tensor = functional.unfold(
        sample[None],
        synapse.weight.shape[2:],
        dilation=synapse.dilation,
        padding=synapse.padding,
        stride=synapse.stride,
    )[0]
    return unfolded
