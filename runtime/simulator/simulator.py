"""Running a program on batches of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.program import Program
from snnc.compiler.targets import get_target
from snnc.errors import DataError
from snnc.runtime.result import RunResult
from snnc.runtime.simulator.kernel import LayerKernel

# Memory for the spikes and drives of one batch: what caches hold is worked on several times as fast.
BUDGET = 32 << 20


@dataclass(frozen=True)
class MembraneRange:
    """Lowest and highest membrane potential of a layer over a run, in weight units."""

    low: int
    high: int


class Simulator:
    """Simulates a program exactly: the same spikes as on Lava, whatever the batch size.

    A layer is computed for all T steps at once, since spikes flow forward only; a constant input is multiplied with
    the weights once for all steps.

    Args:
        program: The program.
        device: Where to compute, as torch names it.
    """

    def __init__(self, program: Program, device: str = "cpu") -> None:
        self.program = program
        self._device = torch.device(device)
        limit = get_target(program.target).membrane_limit
        self._kernels = [LayerKernel(program, index, limit, self._device) for index in range(len(program.layers))]
        self.proven = tuple(kernel.proven for kernel in self._kernels)
        self.ranges: tuple[MembraneRange, ...] | None = None
        self._done_after = _done_after(program)

    def batch_size(self) -> int:
        """The largest batch whose spikes and drives stay within the memory budget."""
        widest = max(layer.neurons for layer in self.program.layers)
        # Spikes of a layer and of the one before, its drive and a temporary of it, four bytes each.
        return max(1, BUDGET // (widest * self.program.timesteps * 4 * 4))

    def run(
        self,
        levels: NDArray[np.uint8],
        *,
        record: bool = False,
        track_range: bool = False,
        batch_size: int | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> RunResult:
        """Runs samples.

        Args:
            levels: Input levels, (samples, *input shape).
            record: Keep every spike.
            track_range: Leave the membranes' ranges in ``ranges``.
            batch_size: Samples computed at once; None: what the memory budget allows.
            advance: Called with the number of samples done after each batch.

        Raises:
            DataError: There are no samples, or their shape does not fit.
        """
        if not len(levels) or levels.shape[1:] != self.program.coding.shape:
            raise DataError(
                "the data do not fit the network",
                expected=f"at least one sample of shape {self.program.coding.shape}",
                found=f"{len(levels)} of shape {tuple(levels.shape[1:])}",
            )
        size = batch_size or self.batch_size()
        spiking = self.program.spiking_layers
        counts = [np.zeros(layer.shape, np.int64) for layer in spiking]
        input_counts = np.zeros(self.program.coding.shape, np.int64)
        wraps = [0] * len(self._kernels)
        ranges = [MembraneRange(0, 0)] * len(self._kernels)
        recorded: list[list[NDArray[np.bool_]]] = [[] for _ in spiking]
        readouts = []
        for start in range(0, len(levels), size):
            batch = levels[start : start + size]
            values = {-1: self._input(batch)}
            input_counts += self._input_counts(values[-1])
            for index, kernel in enumerate(self._kernels):
                inputs = [values[synapse.source] for synapse in kernel.layer.synapses]
                with torch.no_grad():
                    output = kernel.run(inputs, track_range=track_range)
                wraps[index] += output.wraps
                ranges[index] = MembraneRange(min(ranges[index].low, output.low), max(ranges[index].high, output.high))
                values[index] = output.spikes
                for source in self._done_after[index]:
                    del values[source]
                if index < len(spiking):
                    counts[index] += output.counts
                    if record:
                        recorded[index].append(output.spikes.transpose(0, 1).bool().cpu().numpy())
                else:
                    readouts.append(output.potential.cpu().numpy().astype(np.int64))
            if advance:
                advance(min(start + size, len(levels)))
        self.ranges = tuple(ranges) if track_range else None
        return RunResult(
            readout=np.concatenate(readouts),
            spike_counts=tuple(counts),
            input_counts=input_counts,
            wraps=tuple(wraps),
            spikes=tuple(np.concatenate(each) for each in recorded) if record else None,
        )

    def _input(self, levels: NDArray[np.uint8]) -> torch.Tensor:
        """What the first layer receives, (T or 1, batch, *shape)."""
        coding = self.program.coding
        if coding.constant:
            values = levels[None]
        else:
            values = coding.spikes(levels, self.program.timesteps).swapaxes(0, 1)
        return torch.tensor(values, dtype=torch.float32, device=self._device)

    def _input_counts(self, values: torch.Tensor) -> NDArray[np.int64]:
        steps = self.program.timesteps // len(values)
        counts: NDArray[np.int64] = (values != 0).sum((0, 1)).cpu().numpy().astype(np.int64)
        return counts * steps


def _done_after(program: Program) -> list[list[int]]:
    """For each layer the sources whose spikes nobody needs once it is computed."""
    last_use = {synapse.source: index for index, layer in enumerate(program.layers) for synapse in layer.synapses}
    return [[source for source, last in last_use.items() if last == index] for index in range(len(program.layers))]
