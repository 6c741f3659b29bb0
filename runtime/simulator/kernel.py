"""One layer, prepared for simulation."""

from __future__ import annotations

from dataclasses import replace

import torch

from snnc.compiler.program import Program
from snnc.compiler.program.membrane_bounds import drive_bounds, is_safe
from snnc.compiler.program.synaptic_input import SynapticInput
from snnc.runtime.simulator.population import LayerOutput, Population

# Integers up to here are exact in float32, sums of them too, in whatever order.
FLOAT32_EXACT = 1 << 24


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
        self._limit = limit
        self._synapses = [
            SynapticInput(synapse, program.source_shape(synapse.source), layer.shape, dtype=self.dtype, device=device)
            for synapse in layer.synapses
        ]
        self._bias = torch.as_tensor(layer.bias, dtype=self.dtype, device=device)
        self._population = Population(layer, self._bias, program.timesteps, limit)
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
        watch = track_range or not self.proven
        output = self._population.run(drive, watch=watch)
        if watch and self.layer.gate:
            output = replace(output, wraps=output.wraps + self._gate_failures(output.potential))
        return output

    def _drive(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Synaptic input of every step, (T or 1, batch, *shape)."""
        total: torch.Tensor | None = None
        for synapse, value in zip(self._synapses, inputs, strict=True):
            part = synapse(value.flatten(0, 1).to(self.dtype)).view(*value.shape[:2], *self.layer.shape)
            # What comes out of a synapse is nobody else's, so it may be added to.
            if total is None:
                total = part
            elif len(part) <= len(total):
                total += part
            else:
                total = part.add_(total)
        assert total is not None
        return total

    def _gate_failures(self, potential: torch.Tensor) -> int:
        """Neurons that would fire in the blank step, or whose potential would wrap there."""
        assert self.layer.gate is not None
        blank = potential + self._bias - self.layer.gate.value
        return int(((blank >= self.layer.firing_level) | (blank <= -self._limit)).sum())
