"""Adding up what the parts of a run gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.program import Program
from snnc.runtime.result import RunResult
from snnc.runtime.simulator.population import LayerOutput


@dataclass(frozen=True)
class MembraneRange:
    """Lowest and highest membrane potential of a layer over a run, 0 included, in weight units."""

    low: int
    high: int


class Tally:
    """What a run gave up to each of several steps.

    Args:
        program: The program.
        samples: Number of samples of the run.
        stops: Numbers of steps to report after, ascending; the last one is T.
        record: Whether to keep every spike.
    """

    def __init__(self, program: Program, samples: int, stops: Sequence[int], *, record: bool) -> None:
        self._stops = tuple(stops)
        layers, spiking, count = program.layers, program.spiking_layers, len(stops)
        # For each stop what came since the one before; `results` adds them up.
        self._inputs = [np.zeros(program.coding.shape, np.int64) for _ in stops]
        self._counts = [[np.zeros(layer.shape, np.int64) for layer in spiking] for _ in stops]
        self._wraps = np.zeros((count, len(layers)), np.int64)
        self._readouts = [np.zeros((samples, *program.readout.shape), np.int64) for _ in stops]
        self._low, self._high = np.zeros((2, len(layers)), np.int64)
        self._spikes = None
        if record:
            self._spikes = tuple(np.zeros((samples, self._stops[-1], *layer.shape), bool) for layer in spiking)

    def _interval(self, end: int) -> int:
        """Return which stop steps belong to that end with the given one."""
        return int(np.searchsorted(self._stops, end))

    def add_input(self, counts: NDArray[np.int64], end: int) -> None:
        """Add the input of some steps, the last of which is ``end``, counted from 1."""
        self._inputs[self._interval(end)] += counts

    def add_layer(self, index: int, output: LayerOutput, samples: slice, steps: slice) -> None:
        """Add what a layer gave.

        Args:
            index: Which layer.
            output: What it gave.
            samples: Which samples.
            steps: Which steps, from 0; they lie between two stops.
        """
        interval = self._interval(steps.stop)
        self._wraps[interval, index] += output.wraps
        self._low[index], self._high[index] = min(self._low[index], output.low), max(self._high[index], output.high)
        if index < len(self._counts[interval]):
            self._counts[interval][index] += output.counts
            if self._spikes is not None:
                self._spikes[index][samples, steps] = output.spikes.transpose(0, 1).cpu().numpy()
        elif steps.stop == self._stops[interval]:
            self._readouts[interval][samples] = output.potential.cpu().numpy()

    @property
    def ranges(self) -> tuple[MembraneRange, ...]:
        """The range of each membrane, readout included."""
        return tuple(MembraneRange(*each) for each in zip(self._low.tolist(), self._high.tolist(), strict=True))

    def result(self) -> RunResult:
        """Return the whole run, with what it gave up to each earlier stop; nothing can be added any more."""
        results: dict[int, RunResult] = {}
        for interval, stop in enumerate(self._stops):
            inputs, counts = self._inputs[interval], self._counts[interval]
            if interval:
                inputs += self._inputs[interval - 1]
                for total, before in zip(counts, self._counts[interval - 1], strict=True):
                    total += before
            last = stop == self._stops[-1]
            spikes = self._spikes
            if spikes is not None and not last:
                spikes = tuple(each[:, :stop] for each in spikes)
            results[stop] = RunResult(
                readout=self._readouts[interval],
                spike_counts=tuple(counts),
                input_counts=inputs,
                wraps=tuple(self._wraps[: interval + 1].sum(0).tolist()),
                spikes=spikes,
                earlier=dict(results) if last else {},
            )
        return results[self._stops[-1]]
