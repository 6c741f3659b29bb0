"""What the neurons of a layer do with their input, by the fastest way that the device has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.memory_order import from_memory, in_memory, layer_order, rows_in_memory
from snnc.program import Layer
from snnc.runtime.simulator.fire import REGISTER, fire
from snnc.runtime.simulator.steps import Span


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """What a layer did to a batch in some steps.

    Attributes:
        spikes: 0 or 1, uint8, (steps in which it may fire, batch, *shape); the readout's are all 0.
        potential: Membrane potential after the last of these steps, (batch, *shape), in weight units.
        counts: Spikes of each neuron over steps and samples, int64, of the layer's shape.
        wraps: How often a potential left the range, or the gate could not silence a neuron, or keep it closed.
        low: Lowest potential seen, 0 or less, the gate's pulse not included, in weight units.
        high: Highest potential seen before a reset, 0 or more.
    """

    spikes: torch.Tensor
    potential: torch.Tensor
    counts: NDArray[np.int64]
    wraps: int
    low: int
    high: int


class Population:
    """Integrates, fires and resets: many steps of a batch at once.

    Args:
        layer: The layer.
        bias: Its bias, broadcastable to its shape, in the number type and on the device of the computation.
        limit: First magnitude that a membrane must not reach, in weight units.
        fused: Whether to go over memory once for all steps, by code that numba compiled, which CPUs run; else step by
            step with torch, on any device.
    """

    def __init__(self, layer: Layer, bias: torch.Tensor, limit: int, *, fused: bool) -> None:
        self._layer = layer
        self._limit = float(limit)
        self._fused = fused
        self._bias = bias.expand(layer.shape)
        self._level = float(layer.firing_level) if layer.threshold else math.inf
        self._threshold = float(layer.threshold.value) if layer.threshold else 0.0
        self._gate = float(layer.gate.value) if layer.gate else 0.0
        if fused:
            order = layer_order(layer.shape)
            self._added = rows_in_memory(self._bias[None].contiguous(memory_format=order))[0]

    def run(self, drive: torch.Tensor, span: Span, potential: torch.Tensor | None = None) -> LayerOutput:
        """Run a batch.

        Args:
            drive: Synaptic input of every step in which it arrives, (steps, batch, *shape), in weight units; of input
                that repeats itself one period is enough, (1, batch, *shape) where it never changes, or is not there.
            span: The steps.
            potential: Membrane potential before the first of them, (batch, *shape), which is overwritten; None: 0.
        """
        if potential is None:
            order = layer_order(self._layer.shape)
            potential = torch.empty(drive.shape[1:], dtype=drive.dtype, device=drive.device, memory_format=order)
            potential.zero_()
        return (self._in_one_pass if self._fused else self._step_by_step)(drive, span, potential)

    def _in_one_pass(self, drive: torch.Tensor, span: Span, potential: torch.Tensor) -> LayerOutput:
        steps = span.spikes.stop - span.spikes.start
        batch, shape = drive.shape[1], self._layer.shape
        order = layer_order(shape)
        received = drive.flatten(0, 1).contiguous(memory_format=order)
        sent = torch.empty((steps * batch, *shape), dtype=torch.uint8, memory_format=order)
        potential = potential.contiguous(memory_format=order)
        counts = np.zeros(self._layer.neurons, np.int64)
        arrived = rows_in_memory(received).reshape(len(drive), batch, -1)
        wraps, low, high = fire(
            arrived,
            self._added,
            self._level,
            self._threshold,
            self._layer.memoryless,
            self._gate,
            self._limit,
            span.silent,
            span.arriving,
            rows_in_memory(sent).reshape(steps, batch, self._layer.neurons),
            rows_in_memory(potential),
            counts,
        )
        return LayerOutput(
            sent.view(steps, batch, *shape),
            potential,
            from_memory(counts.reshape(in_memory(shape)), shape),
            wraps,
            int(low),
            int(high),
        )

    def _step_by_step(self, drive: torch.Tensor, span: Span, potential: torch.Tensor) -> LayerOutput:
        sending = span.spikes.stop - span.spikes.start
        spikes = torch.empty((sending, *drive.shape[1:]), dtype=torch.uint8, device=drive.device)
        # Kept on the device, which need not wait for the host before all steps are done.
        wraps = torch.zeros((), dtype=torch.int64, device=drive.device)
        low, high = drive.new_zeros(()), drive.new_zeros(())
        for step in range(span.silent + sending):
            if step < span.arriving:
                potential += drive[step % len(drive)] + self._bias
            low, high = torch.minimum(low, potential.amin()), torch.maximum(high, potential.amax())
            wraps += (potential.abs() >= self._limit).sum()
            potential = self._wrapped(potential)
            if step < span.silent:
                closed = potential - self._gate
                wraps += ((closed >= self._level) | (closed <= -self._limit)).sum()
                continue
            fired = potential >= self._level
            spikes[step - span.silent] = fired
            if self._layer.memoryless:
                potential.zero_()
            else:
                potential -= self._threshold * fired
        counts = spikes.sum((0, 1), dtype=torch.int64).cpu().numpy()
        return LayerOutput(spikes, potential, counts, int(wraps), int(low), int(high))

    def _wrapped(self, potential: torch.Tensor) -> torch.Tensor:
        """Return the potential as 32 bits hold it on the way into 24 (lava/proc/lif/models.py, subthr_dynamics)."""
        span, register = 2 * self._limit, REGISTER * self._limit
        potential = potential - register * torch.floor((potential + register / 2) / register)
        above = torch.where(potential > self._limit, potential - span, potential)
        return torch.where(above <= -self._limit, potential + span, above)
