"""What neurons of both kinds can hold and send, whatever the input, by interval arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.arrays import AnyIntegerArray, IntegerArray
from snnc.program.coding import InputCoding
from snnc.program.layer import Layer, Synapse
from snnc.program.messages import ACTIVATION_LIMIT, SPIKE_EXPONENT, STATE_LIMIT, UNIT
from snnc.program.program import Program
from snnc.program.sigma_delta import SigmaDeltaLayer
from snnc.program.synaptic_input import SynapticInput


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
        """Return the same bounds in another unit, of which the present one has ``factor``."""
        return Window(self.low * factor, self.high * factor, self.end * factor, self.closed * factor)


def window(
    drive_low: float, drive_high: float, threshold: float, firing_level: float, timesteps: int, lead: int = 0
) -> Window:
    """Return sound bounds of the potential of a neuron whose input of every step lies in [drive_low, drive_high].

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
    """Return the highest potential that a gate has to silence: in the blank step and, with lead, as the window opens.

    Args:
        bounds: The layer's bounds.
        bias: Its largest bias, in the same unit, which without lead arrives in the blank step too.
        lead: Steps before it may fire.
    """
    return max(bounds.end, bounds.closed) if lead else bounds.end + bias


def lowest_silenced(bounds: Window, bias: float, lead: int) -> float:
    """Return the lowest potential that a gate's pulse meets; args: :func:`highest_silenced`, with the smallest bias."""
    return bounds.low if lead else bounds.low + bias


def largest_step(
    drive: tuple[float, float], threshold: float, gate: float, bias: tuple[float, float], lead: int
) -> float:
    """Return the largest magnitude of what can arrive at a neuron in one step: the input register has to hold it.

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
    """Return the smallest and largest synaptic input of one step that any input can cause, exact for each neuron.

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
    """Return whether no input can make a layer's membrane wrap, in its window or under its gate, or defeat the gate.

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


@dataclass(frozen=True)
class Safety:
    """What is known about one layer.

    Attributes:
        proven: Whether no input whatever can make its membrane potential overflow, or fire while its gate silences it.
        margin: How many times as far as on the calibration data its potential can go before it overflows or the gate
            fails; infinity where it stays at 0, and None where nothing was measured.
        samples: Number of calibration samples that the margin rests on.
    """

    proven: bool
    margin: float | None
    samples: int


def program_safety(program: Program, limit: int, input_limit: int | None) -> tuple[Safety, ...]:
    """Return what is known about each layer; proofs are computed anew from the weights, whatever a file says.

    Args:
        program: The program.
        limit: First magnitude that a membrane of the chip must not reach, in weight units.
        input_limit: First magnitude that a neuron's input of one step must not reach; None: there is none.
    """
    found = []
    for index, layer in enumerate(program.layers):
        lowest, highest = drive_bounds(layer.shape, layer.synapses, program.sources(index))
        drive = int((lowest + layer.bias).min()), int((highest + layer.bias).max())
        lead = program.lead_of(index)
        proven = is_safe(layer, drive, program.timesteps, limit, lead, input_limit)
        found.append(Safety(proven, measured_margin(layer, limit, lead), layer.membrane.samples))
    return tuple(found)


def measured_margin(layer: Layer, limit: int, lead: int) -> float | None:
    """Return :attr:`Safety.margin`; below 1 only where the potentials measured are out of range themselves.

    Args:
        layer: The layer.
        limit: First magnitude that a membrane must not reach, in weight units.
        lead: Steps before it may fire.
    """
    if layer.membrane.measured is None:
        return None
    low, high = layer.membrane.measured
    margin = _smallest_share((limit, high), (limit, -low))
    if layer.gate is None:
        return margin
    # In the blank step the bias still comes, unless there is a lead. What the gate meets there is at most as far from
    # 0 as what was measured in the window, and the compiler saw it silence the calibration data.
    bias = (0, 0) if lead else (int(layer.bias.min()), int(layer.bias.max()))
    silenced = layer.firing_level + layer.gate.value - bias[1]
    return min(margin, max(1.0, _smallest_share((silenced, high), (limit - layer.gate.value + bias[0], -low))))


def _smallest_share(*rooms: tuple[int, int]) -> float:
    """Return the smallest ratio of what there is room for to what was reached."""
    return min((room / reached for room, reached in rooms if reached > 0), default=math.inf)


@dataclass(frozen=True, eq=False)
class SigmaDeltaBounds:
    """Bounds of one layer over a sample.

    Attributes:
        low: The least sigma plus bias, of the layer's shape.
        high: The largest.
        sigma: The largest size of sigma alone, without the bias, of the layer's shape.
        size: The largest sum of the sizes of what arrives in one step, weight times message, of the layer's shape.
        sends: Whether the layer sends messages.
    """

    low: IntegerArray
    high: IntegerArray
    sigma: IntegerArray
    size: IntegerArray
    sends: bool

    @property
    def within(self) -> bool:
        """Whether nothing can leave the range in which all backends compute exactly."""
        return (
            bool((self.size < STATE_LIMIT).all() and (self.sigma < STATE_LIMIT).all())
            and self.low.min(initial=0) > -STATE_LIMIT
            and self.high.max(initial=0) < (ACTIVATION_LIMIT if self.sends else STATE_LIMIT)
        )


def sigma_delta_bounds(coding: InputCoding, layers: tuple[SigmaDeltaLayer, ...]) -> tuple[SigmaDeltaBounds, ...]:
    """Return the bounds of all layers of a chain.

    A neuron of layer i sends at most i + 2 messages in a sample: one in each step from 0 to i + 1. Their sum is its
    activation divided by 64, less one for each message, which is rounded down, and what is held back.

    Args:
        coding: What the input is.
        layers: The layers.
    """
    return tuple(_bounds(coding, layers))


def _bounds(coding: InputCoding, layers: tuple[SigmaDeltaLayer, ...]) -> Iterator[SigmaDeltaBounds]:
    low = np.zeros(coding.shape)
    high = np.full(coding.shape, float(coding.highest << SPIKE_EXPONENT))
    for index, layer in enumerate(layers):
        shape = coding.shape if index == 0 else layers[index - 1].shape
        weight = layer.synapse.weight
        excited, inhibited, any_sign = (
            partial(_through, layer, shape, part) for part in (weight.clip(min=0), weight.clip(max=0), abs(weight))
        )
        least, most = excited(low) + inhibited(high), excited(high) + inhibited(low)
        found = SigmaDeltaBounds(
            low=_whole(least + layer.offset),
            high=_whole(most + layer.offset),
            sigma=_whole(np.maximum(most, -least)),
            size=_whole(any_sign(np.maximum(high, -low))),
            sends=layer.delta_threshold is not None,
        )
        yield found
        # Biases come before the input, so that a neuron may have sent its bias, or any value on the way.
        reached = np.maximum(np.maximum(found.high, layer.offset), 0) / UNIT
        slack = index + 2 + layer.held_back / UNIT
        low, high = np.full(layer.shape, -slack), reached + slack


def _through(
    layer: SigmaDeltaLayer, shape: tuple[int, ...], weight: AnyIntegerArray, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what values bring through some of a layer's weights."""
    drive = SynapticInput(layer.synapse, shape, layer.shape, dtype=torch.float64, weight=weight)
    found: NDArray[np.float64] = drive(torch.as_tensor(values)[None])[0].numpy()
    return found


def _whole(values: NDArray[np.float64]) -> IntegerArray:
    # The bounds of deep networks leave the integers, far beyond every limit.
    whole: IntegerArray = np.rint(values.clip(-(2.0**60), 2.0**60)).astype(np.int64)
    return whole
