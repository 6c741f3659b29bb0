"""What the neurons of a layer do with their input, by the fastest way that the device has."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program import Layer
from snnc.runtime.simulator.fire import fire, fire_and_watch


@dataclass(frozen=True)
class LayerOutput:
    """What a layer did to a batch.

    Attributes:
        spikes: 0 or 1, (T, batch, *shape), float; the readout has none.
        potential: Membrane potential after the last step, (batch, *shape), in weight units.
        counts: Spikes of each neuron over steps and samples, int64, of the layer's shape.
        wraps: How often a potential left the range, or the gate could not silence a neuron.
        low: Lowest potential seen, the gate's pulse not included.
        high: Highest potential seen.
    """

    spikes: torch.Tensor
    potential: torch.Tensor
    counts: NDArray[np.int64]
    wraps: int = 0
    low: int = 0
    high: int = 0


class Population:
    """Integrates, fires and resets: all steps of a batch at once.

    Args:
        layer: The layer.
        bias: Its bias, broadcastable to its shape, in the number type of the computation.
        timesteps: T.
        limit: First magnitude that a membrane must not reach, in weight units.
    """

    def __init__(self, layer: Layer, bias: torch.Tensor, timesteps: int, limit: int) -> None:
        self._layer = layer
        self._timesteps = timesteps
        self._limit = float(limit)
        self._bias = bias.expand(layer.shape)
        self._level = float(layer.firing_level) if layer.threshold else math.inf
        self._threshold = float(layer.threshold.value) if layer.threshold else 0.0

    def run(self, drive: torch.Tensor, *, watch: bool) -> LayerOutput:
        """Runs a batch.

        Args:
            drive: Synaptic input of every step, (T, batch, *shape), or (1, batch, *shape) where it never changes.
            watch: Whether the potential may leave the chip's range, so that it has to be watched and wrapped.
        """
        if drive.device.type == "cpu":
            return self._fused(drive, watch=watch)
        return self._step_by_step(drive, watch=watch)

    def _fused(self, drive: torch.Tensor, *, watch: bool) -> LayerOutput:
        steps, batch = drive.shape[:2]
        shape = self._layer.shape
        received = drive.flatten(0, 1).contiguous(memory_format=_order(shape))
        sent = torch.empty((self._timesteps * batch, *shape), dtype=drive.dtype, memory_format=_order(shape))
        potential = torch.empty((batch, *shape), dtype=drive.dtype, memory_format=_order(shape))
        added = _neurons(self._bias[None].contiguous(memory_format=_order(shape)))[0]
        values = _neurons(received).reshape(steps, batch, -1)
        spikes = _neurons(sent).reshape(self._timesteps, batch, -1)
        left = _neurons(potential)

        def part(samples: slice) -> tuple[NDArray[np.int64], int, float, float]:
            counts = np.zeros(left.shape[1], np.int64)
            given = (values[:, samples], added, self._level, self._threshold, self._layer.memoryless)
            written = (spikes[:, samples], left[samples], counts)
            if watch:
                return counts, *fire_and_watch(*given, *written, self._limit)
            fire(*given, *written)
            return counts, 0, 0.0, 0.0

        shares = _shares(batch, torch.get_num_threads())
        results = [part(shares[0])] if len(shares) == 1 else list(_threads(len(shares)).map(part, shares))
        counts = np.sum([each[0] for each in results], axis=0)
        if len(shape) == 3:
            counts = counts.reshape(*shape[1:], shape[0]).transpose(2, 0, 1)
        return LayerOutput(
            spikes=sent.view(self._timesteps, batch, *shape),
            potential=potential,
            counts=np.ascontiguousarray(counts.reshape(shape)),
            wraps=sum(each[1] for each in results),
            low=int(min(each[2] for each in results)),
            high=int(max(each[3] for each in results)),
        )

    def _step_by_step(self, drive: torch.Tensor, *, watch: bool) -> LayerOutput:
        potential = torch.zeros_like(drive[0])
        spikes = drive.new_empty((self._timesteps, *drive.shape[1:]))
        wraps, low, high = 0, 0, 0
        for step in range(self._timesteps):
            potential = potential + (drive[step if len(drive) > 1 else 0] + self._bias)
            if watch:
                step_low, step_high = int(potential.min()), int(potential.max())
                low, high = min(low, step_low), max(high, step_high)
                if step_low <= -self._limit or step_high >= self._limit:
                    wraps += int((potential.abs() >= self._limit).sum())
                    potential = self._wrapped(potential)
            spikes[step] = potential >= self._level
            potential = potential - self._threshold * spikes[step]
            if self._layer.memoryless:
                potential = torch.zeros_like(potential)
        counts = spikes.sum((0, 1), dtype=torch.float64).cpu().numpy().astype(np.int64)
        return LayerOutput(spikes, potential, counts, wraps, low, high)

    def _wrapped(self, potential: torch.Tensor) -> torch.Tensor:
        """The potential as 24 bits hold it (lava/proc/lif/models.py, subthr_dynamics)."""
        span = 2 * self._limit
        above = torch.where(potential > self._limit, potential - span, potential)
        return torch.where(above <= -self._limit, potential + span, above)


def _order(shape: tuple[int, ...]) -> torch.memory_format:
    """The order that convolutions work in, so that nothing is turned around between layers."""
    return torch.channels_last if len(shape) == 3 else torch.contiguous_format


def _neurons(values: torch.Tensor) -> NDArray[np.floating[Any]]:
    """Values (rows, *shape) as (rows, neurons) in the order in which they lie in memory, which is shared."""
    if values.ndim == 4:
        values = values.permute(0, 2, 3, 1)
    found: NDArray[np.floating[Any]] = values.view(len(values), -1).numpy()
    return found


def _shares(count: int, parts: int) -> list[slice]:
    """Samples in nearly equal parts, at most one for each thread."""
    parts = max(1, min(parts, count))
    edges = [count * index // parts for index in range(parts + 1)]
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="snnc-population")
