"""Simulating a netx file exactly: the spikes and potentials of Lava's CPU simulator."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import OptionError
from snnc.common.memory_order import from_memory, to_memory
from snnc.common.progress import Progress, Unheard
from snnc.program.netx import NetxNetwork
from snnc.runtime.netx.block_run import BlockRun, bytes_per_sample, bytes_per_step
from snnc.runtime.netx.drive import SynapticDrive
from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule, checked_values
from snnc.runtime.simulator.chunks import CPU_MEMORY, GAPS, Chunks, Demand, exact_products, plan
from snnc.runtime.simulator.simulator import run_side_by_side


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
        """Keep what a block fired, where that is wanted.

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
        """Add counts and potentials as samples end."""
        for index, run in enumerate(runs):
            counts = run.take_counts()
            self._spike_counts[index] += counts.sum(axis=0, dtype=np.int64)
        self._counts[samples] = counts
        self._potentials[samples] = runs[-1].potentials

    def add_overflows(self, runs: Sequence[BlockRun]) -> None:
        """Add what left its bits in blocks that have run to their end."""
        self._overflows += [[run.wraps for run in runs], [run.clips for run in runs]]

    def result(self) -> NetxResult:
        """Return all of it."""
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


class NetxSimulator:
    """Simulates a network of Lava's LIF neurons, each block for many steps at once, since spikes flow forward only.

    Where the schedule resets each block as a sample reaches it, samples are computed side by side; else one after
    another as one stream, in which everything carries on as it does in Lava: potentials, spikes that are delayed.

    Args:
        network: The network.
        memory: Bytes that may be taken for what is computed at once, on all threads together; None: what is fastest.

    Raises:
        OptionError: Not even one step of one sample fits into the memory.
    """

    def __init__(self, network: NetxNetwork, *, memory: int | None = None) -> None:
        self._network = network
        shapes = [network.source_shape(index) for index in range(len(network.blocks))]
        states = sum(bytes_per_sample(*each) for each in zip(network.blocks, shapes, strict=True))
        steps = max(bytes_per_step(*each) for each in zip(network.blocks, shapes, strict=True))
        self._demand = Demand(int(GAPS * states), int(GAPS * steps))
        self._memory = memory
        plan(self._demand, 1, self._budget(1))
        self._drives: list[SynapticDrive | None] = [
            SynapticDrive(block.connections, shape, block.shape) if index and block.connections else None
            for index, (block, shape) in enumerate(zip(network.blocks, shapes, strict=True))
        ]
        self._recurrent = [
            SynapticDrive(block.recurrent, block.shape, block.shape) if block.recurrent else None
            for block in network.blocks
        ]

    def run(
        self,
        values: NDArray[np.integer[Any]],
        schedule: NetxSchedule,
        *,
        input_bits: int = 0,
        record: Collection[int] = (),
        batch_size: int | None = None,
        progress: Progress = Unheard(),
    ) -> NetxResult:
        """Run samples.

        Args:
            values: What arrives, (samples, T or 1, *input shape): spikes or numbers, or the biases of an input block.
                One step is held for all T.
            schedule: Steps and resets.
            input_bits: Bits of the numbers that arrive (netx's ``input_message_bits``); 0: spikes, and whatever is not
                0 is one.
            record: Indices of the blocks whose spike trains are kept.
            batch_size: Samples computed at once; None: what memory allows. It never changes the result.
            progress: Told how many samples are done.

        Raises:
            DataError: There are no samples, their shape does not fit, or a value is out of range.
            OptionError: The batch does not fit into the memory.
        """
        network = self._network
        values = checked_values(network, values, schedule, input_bits)
        first = network.blocks[0]
        drives = list(self._drives)
        if first.connections:
            drives[0] = SynapticDrive(
                first.connections,
                network.input_shape,
                first.shape,
                largest=max(int(values.max()), -int(values.min()), 1),
                is_graded=input_bits > 0,
                is_negative=bool(values.min() < 0),
            )
        tally = NetxTally(network, values, schedule, record)
        values = np.ascontiguousarray(to_memory(values, network.input_shape))
        threads, chunks = self._chunks(len(values), schedule, batch_size)
        lock, done = Lock(), 0

        def batch(samples: slice) -> None:
            nonlocal done
            with exact_products(torch.device("cpu")):
                self._batch(values[samples], samples, schedule, chunks.steps, drives, tally, lock)
            with lock:
                done += samples.stop - samples.start
                progress.advance(done)

        if schedule.separates_samples:
            starts = range(0, len(values), chunks.samples)
            run_side_by_side(
                (partial(batch, slice(each, min(each + chunks.samples, len(values)))) for each in starts), threads
            )
        else:
            self._stream(values, schedule, chunks.steps, drives, tally, progress)
        return tally.result()

    def _batch(
        self,
        values: NDArray[np.integer[Any]],
        samples: slice,
        schedule: NetxSchedule,
        steps: int,
        drives: list[SynapticDrive | None],
        tally: NetxTally,
        lock: Lock,
    ) -> None:
        """Run samples side by side, each with neurons of its own."""
        runs = self._runs(drives, len(values))
        # Spikes of early steps may still be under way as the neurons are reset; else these steps mean nothing.
        early = self._early_steps(schedule) if self._network.remembers else [0] * len(runs)
        _advance_samples(runs, values, samples, schedule, steps, early, tally)
        with lock:
            tally.add_sample(samples, runs)
            tally.add_overflows(runs)

    def _stream(
        self,
        values: NDArray[np.integer[Any]],
        schedule: NetxSchedule,
        steps: int,
        drives: list[SynapticDrive | None],
        tally: NetxTally,
        progress: Progress,
    ) -> None:
        """Run all samples one after another through the same neurons."""
        runs, early = self._runs(drives, 1), self._early_steps(schedule)
        for sample in range(len(values)):
            one = slice(sample, sample + 1)
            _advance_samples(runs, values[one], one, schedule, steps, early, tally, begin=sample * schedule.timesteps)
            tally.add_sample(one, runs)
            progress.advance(sample + 1)
        tally.add_overflows(runs)

    def _early_steps(self, schedule: NetxSchedule) -> list[int]:
        """Return the steps that each block takes before the first input reaches it: its biases do not wait."""
        return [schedule.latency(index) for index in range(len(self._network.blocks))]

    def _runs(self, drives: list[SynapticDrive | None], samples: int) -> list[BlockRun]:
        network = self._network
        return [
            BlockRun(block, drive, recurrent, network.source_shape(index), samples)
            for index, (block, drive, recurrent) in enumerate(zip(network.blocks, drives, self._recurrent, strict=True))
        ]

    def _budget(self, threads: int, batch_size: int | None = None) -> int:
        least = (batch_size or 1) * (self._demand.sample + self._demand.step)
        if self._memory is None:
            return max(CPU_MEMORY, least)
        given = self._memory // threads
        return given if batch_size else min(max(CPU_MEMORY, least), given)

    def _chunks(self, samples: int, schedule: NetxSchedule, batch_size: int | None) -> tuple[int, Chunks]:
        """Return on how many threads to compute, and how much at once on each."""
        if batch_size is not None and batch_size < 1:
            raise OptionError("is too small", where="batch size", expected="at least 1", found=str(batch_size))
        if not schedule.separates_samples:
            return 1, plan(self._demand, schedule.timesteps, self._budget(1), 1)
        threads = min(torch.get_num_threads(), samples)
        chunks = plan(self._demand, schedule.timesteps, self._budget(threads, batch_size), batch_size)
        if batch_size is None:
            chunks = Chunks(max(1, min(chunks.samples, -(-samples // threads))), chunks.steps)
        return min(threads, -(-samples // chunks.samples)), chunks


def _advance_samples(
    runs: Sequence[BlockRun],
    values: NDArray[np.integer[Any]],
    samples: slice,
    schedule: NetxSchedule,
    steps: int,
    early: Sequence[int],
    tally: NetxTally,
    *,
    begin: int = 0,
) -> None:
    """Run all steps of some samples.

    Args:
        runs: The blocks.
        values: What arrives, (samples, T or 1, *input shape in memory).
        samples: Which samples they are.
        schedule: Steps and resets.
        steps: How many steps are computed at once.
        early: Steps that each block takes before the very first of its own time.
        tally: Takes up spikes.
        begin: Steps before these samples, in each block's own time.
    """
    for first in range(0, schedule.timesteps, steps):
        count = min(steps, schedule.timesteps - first)
        sent: NDArray[Any] = _steps(values, first, count)
        for index, run in enumerate(runs):
            ahead = 0 if begin + first else early[index]
            if ahead and len(sent) == 1:
                sent = np.repeat(sent, count, axis=0)
            resets = schedule.resets(begin + first + 1 - ahead, count + ahead)
            silent = len(resets) - len(sent) if ahead else 0
            sent = fired = run.advance(sent, resets, ahead, silent=silent)
            tally.record(index, samples, first, fired[ahead:])


def _steps(values: NDArray[np.integer[Any]], first: int, count: int) -> NDArray[np.integer[Any]]:
    """Return some steps of the input, (steps or 1, samples, *input shape)."""
    part = values if values.shape[1] == 1 else values[:, first : first + count]
    return np.moveaxis(part, 1, 0)
