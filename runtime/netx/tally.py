"""What blocks gave, put together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.compiler.netx import NetxNetwork
from snnc.runtime.netx.block_run import BlockRun
from snnc.runtime.netx.memory_order import from_memory
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule


class NetxTally:
    """Adds up spikes as they come.

    Args:
        network: The network.
        values: What arrives, (samples, T or 1, *input shape).
        schedule: The steps.
        record: Indices of the blocks whose spike trains are kept.
    """

    def __init__(
        self, network: NetxNetwork, values: NDArray[np.integer[Any]], schedule: NetxSchedule, record: Collection[int]
    ) -> None:
        samples, output = len(values), network.blocks[-1].shape
        self._counts = np.zeros((samples, *output), np.int64)
        self._potentials = np.zeros((samples, *output), np.int32)
        self._spike_counts = [np.zeros(block.shape, np.int64) for block in network.blocks]
        self._overflows = np.zeros((2, len(network.blocks)), np.int64)
        self._spikes = {
            index: np.zeros((samples, schedule.timesteps, *network.blocks[index].shape), bool) for index in record
        }
        self._input_counts = None
        if not network.takes_biases:
            held = schedule.timesteps // values.shape[1]
            self._input_counts = (values != 0).sum(axis=(0, 1), dtype=np.int64) * held

    def record(self, index: int, samples: slice, first: int, fired: NDArray[np.bool_]) -> None:
        """What a block fired, where that is to be kept.

        Args:
            index: The block.
            samples: Which samples.
            first: The first step, from 0.
            fired: (steps, samples, *shape in memory).
        """
        if index in self._spikes:
            shape = self._spikes[index].shape[2:]
            self._spikes[index][samples, first : first + len(fired)] = np.moveaxis(from_memory(fired, shape), 0, 1)

    def add_sample(self, samples: slice, runs: Sequence[BlockRun]) -> None:
        """Counts and potentials as samples end."""
        for index, run in enumerate(runs):
            counts = run.take_counts()
            self._spike_counts[index] += counts.sum(axis=0, dtype=np.int64)
        self._counts[samples] = counts
        self._potentials[samples] = runs[-1].potentials

    def add_overflows(self, runs: Sequence[BlockRun]) -> None:
        """What left its bits in blocks that have run to their end."""
        self._overflows += [[run.wraps for run in runs], [run.clips for run in runs]]

    def result(self) -> NetxResult:
        """All of it."""
        wraps, clips = self._overflows.tolist()
        return NetxResult(
            counts=self._counts,
            potentials=self._potentials,
            spike_counts=tuple(self._spike_counts),
            input_counts=self._input_counts,
            wraps=tuple(wraps),
            clips=tuple(clips),
            spikes=self._spikes,
        )
