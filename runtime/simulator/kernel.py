"""One layer, prepared for simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from snnc.compiler.program import Program
from snnc.compiler.program.membrane_bounds import drive_bounds, is_safe
from snnc.compiler.program.synaptic_input import SynapticInput

# Integers up to here are exact in float32, sums of them too, in whatever order.
FLOAT32_EXACT = 1 << 24


@dataclass(frozen=True)
class LayerOutput:
    """What a layer did to a batch.

    Attributes:
        spikes: 0 or 1, (T, batch, *shape), float; empty for the readout.
        potential: Membrane potential after the last step, (batch, *shape).
        wraps: How often a potential left the range, or the gate could not silence a neuron.
        low: Lowest potential seen, the gate's pulse not included.
        high: Highest potential seen.
    """

    spikes: torch.Tensor
    potential: torch.Tensor
    wraps: int
    low: int
    high: int


class LayerKernel:
    """Computes a layer for all steps of a batch.

    The arithmetic is floating point on integers: exact in float32 while no sum can reach 2**24, which is checked
    here for the weights at hand, and else done in float64.

    Args:
        program: The program.
        index: Index of the layer.
        limit: First magnitude that a membrane must not reach, in weight units.
        device: Where to compute.
    """

    def __init__(self, program: Program, index: int, limit: int, device: torch.device) -> None:
        layer = program.layers[index]
        sources = tuple(
            (program.source_shape(synapse.source), program.coding.largest if synapse.source < 0 else 1)
            for synapse in layer.synapses
        )
        lowest, highest = drive_bounds(layer.shape, layer.synapses, sources)
        largest_sum = int((highest - lowest).max()) + int(abs(layer.bias).max())
        self.dtype = torch.float32 if largest_sum + limit < FLOAT32_EXACT else torch.float64
        self.layer = layer
        self.timesteps = program.timesteps
        self._limit = limit
        self._synapses = [
            SynapticInput(synapse, program.source_shape(synapse.source), layer.shape, dtype=self.dtype, device=device)
            for synapse in layer.synapses
        ]
        self._bias = torch.as_tensor(layer.bias, dtype=self.dtype, device=device)
        self._firing = float(layer.firing_level) if layer.threshold else math.inf
        self._theta = float(layer.threshold.value) if layer.threshold else math.inf
        drive = (int((lowest + layer.bias).min()), int((highest + layer.bias).max()))
        self.proven = is_safe(layer, drive, program.timesteps, limit)

    def run(self, inputs: list[torch.Tensor], *, track_range: bool = False) -> LayerOutput:
        """Runs a batch.

        Args:
            inputs: For each synapse what its source sends, (T, batch, *source shape), or (1, batch, ...) where it is
                the same at every step.
            track_range: Whether the range of the potential is wanted; it is found anyway where it is not proven.
        """
        drive = self._drive(inputs)
        check = track_range or not self.proven
        potential = torch.zeros_like(drive[0])
        spikes = []
        wraps, low, high = 0, 0, 0
        for step in range(self.timesteps):
            potential = potential + drive[step if len(drive) > 1 else 0]
            if check:
                step_low, step_high = int(potential.min()), int(potential.max())
                low, high = min(low, step_low), max(high, step_high)
                if step_low <= -self._limit or step_high >= self._limit:
                    wraps += int((potential.abs() >= self._limit).sum())
                    potential = self._wrapped(potential)
            if self.layer.threshold:
                fired = potential >= self._firing
                potential = potential - self._theta * fired
                spikes.append(fired)
            if self.layer.memoryless:
                potential = torch.zeros_like(potential)
        if check and self.layer.gate:
            wraps += self._gate_failures(potential)
        shape = (0, *potential.shape)
        trains = torch.stack(spikes).to(self.dtype) if spikes else potential.new_zeros(shape)
        return LayerOutput(trains, potential, wraps, low, high)

    def _drive(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Input of every step, bias included, (T or 1, batch, *shape)."""
        total = self._bias[None, None]
        for synapse, value in zip(self._synapses, inputs, strict=True):
            steps, batch = value.shape[:2]
            result = synapse(value.flatten(0, 1).to(self.dtype))
            total = total + result.reshape(steps, batch, *self.layer.shape)
        return total

    def _wrapped(self, potential: torch.Tensor) -> torch.Tensor:
        """The potential as 24 bits hold it (lava/proc/lif/models.py, subthr_dynamics)."""
        span = 2 * self._limit
        above = torch.where(potential > self._limit, potential - span, potential)
        return torch.where(above <= -self._limit, potential + span, above)

    def _gate_failures(self, potential: torch.Tensor) -> int:
        """Neurons that would fire in the blank step, or whose potential would wrap there."""
        assert self.layer.gate is not None
        blank = potential + self._bias - self.layer.gate.value
        return int(((blank >= self._firing) | (blank <= -self._limit)).sum())
