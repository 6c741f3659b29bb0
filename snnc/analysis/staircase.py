"""What clipping and rounding to T + 1 levels make of the ANN: the neurons' output for input that comes evenly."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from snnc.common.arrays import FloatArray, per_channel
from snnc.compiler.conversion.solver import spike_counts
from snnc.compiler.ir import Node
from snnc.compiler.ir.graph import Apply, apply_node
from snnc.program import Layer

# What the ANN is called then; T steps have T + 1 levels, 0 among them.
ROUNDED = "and rounded to T + 1 levels"

# Vth and v0 of each channel, in units of the activations, shaped to be combined with a batch of the layer's values.
Levels = tuple[FloatArray, FloatArray]


def rate(values: FloatArray, threshold: FloatArray, potential: FloatArray, timesteps: int) -> FloatArray:
    """Return a neuron's output for constant input: Vth times its spikes for each step, as equation 5 of the paper.

    Args:
        values: The input, any shape.
        threshold: Vth, of a shape that broadcasts to it, > 0.
        potential: v0, likewise.
        timesteps: T.
    """
    rates: FloatArray = spike_counts(values, threshold, potential, timesteps) * threshold / timesteps
    return rates


def levels_of(layer: Layer) -> Levels:
    """Return Vth and v0 of a layer that fires."""
    assert layer.threshold is not None
    threshold = per_channel(layer.scale, len(layer.shape))
    return threshold, threshold * (layer.initial_potential / layer.threshold.value)


def clipped(levels: Mapping[str, Levels]) -> Apply:
    """Return what computes a node with its activations not above their thresholds.

    Args:
        levels: By name the nodes that are clipped.
    """

    def apply(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        value = apply_node(node, inputs)
        if node.name not in levels:
            return value
        threshold, _ = levels[node.name]
        return torch.minimum(value, torch.as_tensor(threshold, dtype=value.dtype))

    return apply


def rounded(levels: Mapping[str, Levels], timesteps: int) -> Apply:
    """Return what computes a node with its activations clipped and rounded to what spikes in T steps can say.

    Args:
        levels: By name the nodes that are rounded.
        timesteps: T.
    """

    def apply(node: Node, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        value = apply_node(node, inputs)
        if node.name not in levels:
            return value
        found = rate(value.double().numpy(), *levels[node.name], timesteps)
        return torch.as_tensor(found, dtype=value.dtype)

    return apply
