"""A batch of samples on its way through the layers, some steps at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.runtime.simulator.input_steps import InputSteps, input_steps
from snnc.runtime.simulator.kernel import LayerKernel
from snnc.runtime.simulator.population import LayerOutput
from snnc.runtime.simulator.span import Span
from snnc.runtime.simulator.waiting_spikes import WaitingSpikes


class Batch:
    """Some samples that are computed together; each layer takes what all of its sources have sent.

    Without lead all layers are at the same step after each advance. With lead a layer is behind those that it reads,
    and what a shorter path has brought waits for the longer one.

    Args:
        program: The program.
        kernels: Its layers.
        levels: Input levels of the samples, (batch, *input shape).
        device: Where to compute.
    """

    def __init__(
        self, program: Program, kernels: Sequence[LayerKernel], levels: NDArray[np.uint8], device: torch.device
    ) -> None:
        self._program = program
        self._kernels = kernels
        self._levels = levels
        self._device = device
        self._potentials: list[torch.Tensor | None] = [None] * len(kernels)
        # For each layer the steps of its window that are done.
        self._done = [0] * len(kernels)
        self._input: dict[tuple[int, int], InputSteps] = {}
        readers: dict[int, list[int]] = {}
        for index, layer in enumerate(program.layers):
            for synapse in layer.synapses:
                readers.setdefault(synapse.source, []).append(index)
        self._waiting = {source: WaitingSpikes(each) for source, each in readers.items() if source >= 0}

    @property
    def is_done(self) -> bool:
        """Whether the readout has seen everything."""
        return self._done[-1] == self._kernels[-1].window

    def input(self, first: int, steps: int) -> InputSteps:
        """What the input brings in some steps; what was asked for last is kept.

        Args:
            first: The first step, from 0.
            steps: Their number.
        """
        if (first, steps) not in self._input:
            self._input = {(first, steps): input_steps(self._program.coding, self._levels, first, steps, self._device)}
        return self._input[first, steps]

    def advance(self, steps: int) -> Iterator[tuple[int, LayerOutput, slice]]:
        """Takes each layer as far as its sources allow, so many steps at most.

        Args:
            steps: At least 1.

        Yields:
            For each layer that got further its index, what it gave, and which of a sample's T spikes these are.
        """
        for index, kernel in enumerate(self._kernels):
            first, end = self._done[index], min(self._done[index] + steps, self._ready(index))
            if end == first:
                continue
            span = Span(first, end, self._program.timesteps, kernel.lead)
            inputs = self._inputs(index, first, span.arriving)
            output = kernel.run(inputs, end - first, self._potentials[index], first=first, ends=span.is_last)
            self._potentials[index] = output.potential
            self._done[index] = end
            for source in {synapse.source for synapse in kernel.layer.synapses} - {-1}:
                self._waiting[source].taken(index, min(end, self._program.timesteps))
            if index in self._waiting:
                self._waiting[index].add(output.spikes)
            yield index, output, span.spikes

    def _ready(self, index: int) -> int:
        """How many steps of a layer's window can be done, as far as its sources are."""
        timesteps, kernel = self._program.timesteps, self._kernels[index]
        there = min(
            timesteps if synapse.source < 0 else self._waiting[synapse.source].end for synapse in kernel.layer.synapses
        )
        return kernel.window if there == timesteps else there

    def _inputs(self, index: int, first: int, steps: int) -> list[torch.Tensor]:
        """What a layer's sources send in some steps, for each synapse; nothing for no steps."""
        sources = [synapse.source for synapse in self._kernels[index].layer.synapses if steps]
        return [
            self.input(first, steps).values if source < 0 else self._waiting[source].get(first, first + steps)
            for source in sources
        ]
