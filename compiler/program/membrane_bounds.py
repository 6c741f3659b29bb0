"""Interval arithmetic on the membrane potential."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program.layer import Layer, Synapse
from snnc.compiler.program.synaptic_input import SynapticInput


@dataclass(frozen=True)
class Window:
    """Bounds of a membrane potential over one sample, in the unit of the arguments of :func:`window`.

    Attributes:
        low: Lowest potential.
        high: Highest potential, before a reset.
        end: Highest potential after the last step's reset.
        closed: Highest potential before the neuron may fire; 0 without lead.
    """

    low: float
    high: float
    end: float
    closed: float = 0.0

    def scaled(self, factor: float) -> Window:
        """The same bounds in another unit, of which the present one has ``factor``."""
        return Window(self.low * factor, self.high * factor, self.end * factor, self.closed * factor)


def window(
    drive_low: float, drive_high: float, threshold: float, firing_level: float, timesteps: int, lead: int = 0
) -> Window:
    """Sound bounds of the potential of a neuron whose input of every step lies in [drive_low, drive_high].

    The neuron starts at 0, fires from ``firing_level`` on and then subtracts ``threshold``. Right after a reset it is
    at least ``firing_level - threshold``, so nothing it does by itself takes it below that; T steps of the lowest
    input can follow.

    Args:
        drive_low: Lowest input of a step.
        drive_high: Highest input of a step.
        threshold: theta; infinity for a neuron that never fires.
        firing_level: theta - v0; infinity for a neuron that never fires.
        timesteps: T.
        lead: Steps before it may fire, 0..T; after T steps of input as many follow without any.
    """
    after_reset = min(0.0, firing_level - threshold) if np.isfinite(threshold) else 0.0
    lowest = min(0.0, drive_low)
    low = min(timesteps * lowest, after_reset + (timesteps - lead) * lowest)
    high, end = 0.0, 0.0
    for step in range(timesteps + lead):
        before = end + (drive_high if step < timesteps else 0.0)
        high = max(high, before)
        # The largest value that can be left: just below the firing level, or what is too much to be reset at once.
        end = before if step < lead else max(min(before, firing_level), before - threshold)
    return Window(low, high, max(end, 0.0), lead * max(0.0, drive_high))


def highest_silenced(bounds: Window, bias: float, lead: int) -> float:
    """The highest potential that a gate has to silence: in the blank step and, with lead, as the window opens.

    Args:
        bounds: The layer's bounds.
        bias: Its largest bias, in the same unit, which without lead arrives in the blank step too.
        lead: Steps before it may fire.
    """
    return max(bounds.end, bounds.closed) if lead else bounds.end + bias


def lowest_silenced(bounds: Window, bias: float, lead: int) -> float:
    """The lowest potential that a gate's pulse meets; args as for :func:`highest_silenced`, with the smallest bias."""
    return bounds.low if lead else bounds.low + bias


def largest_step(
    drive: tuple[float, float], threshold: float, gate: float, bias: tuple[float, float], lead: int
) -> float:
    """The largest magnitude of what can arrive at a neuron in one step: the input register has to hold it.

    Synapses bring it with the last spike's reset; or the gate with bias and reset; with lead the gate with the reset,
    or with synapses.

    Args:
        drive: Lowest and highest input of a step, bias included.
        threshold: theta, what a spike takes off.
        gate: Size of the gate's pulse; 0 for none.
        bias: Smallest and largest bias, in the same unit.
        lead: Steps before a layer with a gate may fire.
    """
    low, high = drive
    beside = max(threshold, -low, high) if lead else max(-bias[0], bias[1]) + threshold
    return max(high, threshold - low, gate + beside)


def drive_bounds(
    layer_shape: tuple[int, ...], synapses: tuple[Synapse, ...], sources: tuple[tuple[tuple[int, ...], int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The smallest and largest synaptic input of one step that any input can cause, exact for each neuron.

    Args:
        layer_shape: Shape of the layer.
        synapses: Its synapses.
        sources: For each synapse the shape of what it reads and the largest value that one neuron of it sends
            (1 for a spike, 255 for a graded one).

    Returns:
        (lowest, highest), each int64 of the layer's shape, in weight units, without the bias.
    """
    lowest, highest = np.zeros(layer_shape, np.int64), np.zeros(layer_shape, np.int64)
    for synapse, (shape, largest) in zip(synapses, sources, strict=True):
        full = torch.full((1, *shape), float(largest), dtype=torch.float64)
        weight = synapse.scaled_weight
        for total, part in ((lowest, weight.clip(max=0)), (highest, weight.clip(min=0))):
            drive = SynapticInput(synapse, shape, layer_shape, dtype=torch.float64, weight=part)(full)
            total += drive[0].round().numpy().astype(np.int64)
    return lowest, highest


def is_safe(
    layer: Layer, drive: tuple[int, int], timesteps: int, limit: int, lead: int = 0, input_limit: int | None = None
) -> bool:
    """Whether no input whatever can make a layer's membrane wrap, in its window or under its gate, or defeat the gate.

    Args:
        layer: The layer.
        drive: Lowest and highest input of a step, bias included, over its neurons and all inputs.
        timesteps: T.
        limit: First magnitude that a membrane must not reach, in weight units.
        lead: Steps before a layer with a gate may fire.
        input_limit: First magnitude that the input of a step must not reach; None: there is none.
    """
    bias = int(layer.bias.min()), int(layer.bias.max())
    if input_limit is not None:
        reset = layer.threshold.value if layer.threshold and layer.gate else 0
        if largest_step(drive, reset, layer.gate.value if layer.gate else 0, bias, lead) >= input_limit:
            return False
    if layer.memoryless:
        return -limit < drive[0] and drive[1] < limit
    if layer.threshold is None or layer.gate is None:
        bounds = window(*drive, math.inf, math.inf, timesteps)
        return -limit < bounds.low and bounds.high < limit
    bounds = window(*drive, layer.threshold.value, layer.firing_level, timesteps, lead)
    # In the blank step only gate, the last spike's reset and, without lead, the bias arrive.
    silenced = highest_silenced(bounds, bias[1], lead) - layer.gate.value < layer.firing_level
    lowest = min(bounds.low, lowest_silenced(bounds, bias[0], lead) - layer.gate.value)
    return silenced and -limit < lowest and bounds.high < limit
