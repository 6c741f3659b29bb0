"""A batch's values, channel by channel, in whatever order they lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock, local
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.compiler.solver import kernels
from snnc.compiler.solver.kernels import CHUNK, MOST, Bits, Histograms

Result = TypeVar("Result")

# Lanes that values are dealt out to: at least so many, or neighbours would wait for each other; at most so many, or
# their histograms would not stay in the cache.
LANES_AT_LEAST, LANES_AT_MOST = 8, 64
# Where there are so many times more bins than values, values are counted one by one instead of histograms added up.
FEW = 8
# Runs of fewer values of one channel are not worth a table: they are turned around.
RUN = 256
# Fewer values than this are not worth a thread.
THREAD_VALUES = 1 << 18
NOTHING_LOW, NOTHING_HIGH = np.iinfo(np.int32).max, np.iinfo(np.int32).min


@dataclass(frozen=True)
class Bins:
    """Consecutive bins; that of a value is its float32's bits, shifted right.

    Attributes:
        shift: By how many bits.
        first: The first bin.
        number: How many there are.
        start: The column of the counts that the first one is for.
    """

    shift: int
    first: int
    number: int
    start: int


class _Scratch(local):
    """Zeros that every thread keeps for its histograms, since fresh memory costs more than counting in it."""

    def __init__(self) -> None:
        self._buffer = np.zeros(0, np.uint16)

    def zeros(self, size: int) -> Histograms:
        """At least so many; whoever takes them leaves zeros behind."""
        if len(self._buffer) < size:
            self._buffer = np.zeros(size, np.uint16)
        return self._buffer


_scratch = _Scratch()


@dataclass(frozen=True, eq=False)
class Table:
    """Some of the values, as the kernels take them: the i-th column belongs to lane ``i % len(owners)``.

    Attributes:
        bits: (rows, all columns), float32 values as integers, contiguous.
        left: The first column that belongs to the table.
        right: The one behind the last.
        owners: (lanes,), the channel of each lane.
    """

    bits: Bits
    left: int
    right: int
    owners: NDArray[np.int64]

    @property
    def stride(self) -> int:
        """How many columns are worked on at once: a multiple of the lanes."""
        lanes = len(self.owners)
        return lanes * max(1, CHUNK // lanes)

    def measured(self) -> tuple[Bits, Bits, int]:
        """The smallest and the largest value of each lane, as ordered integers, and the smallest normal one of all."""
        low = np.full(self.stride, NOTHING_LOW, np.int32)
        high, normal = np.full(self.stride, NOTHING_HIGH, np.int32), low.copy()
        kernels.measure(self.bits, self.left, self.right, low, high, normal)
        lanes = len(self.owners)
        return low.reshape(-1, lanes).min(0), high.reshape(-1, lanes).max(0), int(normal.min())

    def count(self, bins: Bins, counts: NDArray[np.int64], lock: Lock) -> None:
        """Adds to the channels' counts how often each bin occurs; many tables may do so at once with one lock."""
        lanes = len(self.owners)
        places = 1 + bins.number
        histograms = _scratch.zeros(lanes * places)
        offsets = (np.arange(self.stride) % lanes * places).astype(np.int32)
        for bits, left, right in self.pieces(MOST):
            kernels.count(bits, left, right, bins.shift, bins.first, offsets, histograms)
            with lock:
                kernels.fold(histograms, places, self.owners, bins.start, counts)

    def pieces(self, most: int) -> Iterator[tuple[Bits, int, int]]:
        """The table in parts of at most so many values of each lane: rows, first column, the one behind the last."""
        lanes = len(self.owners)
        of_each_row = -(-(self.right - self.left) // lanes)
        parts = -(-of_each_row // most)
        columns = lanes * -(-of_each_row // parts)
        rows = max(1, most // of_each_row)
        for top in range(0, len(self.bits), rows):
            for left in range(self.left, self.right, columns):
                yield self.bits[top : top + rows], left, min(left + columns, self.right)

    def count_few(self, bins: Bins, counts: NDArray[np.int64]) -> None:
        """The same for few values beside many bins."""
        kernels.count_few(self.bits, self.left, self.right, bins.shift, bins.first - bins.start, self.owners, counts)


class ChannelValues:
    """Values of several channels in float32, looked at where they lie, without a copy in another order.

    Work is spread over as many threads as torch uses; results are integers, minima and maxima, the same for any number.

    Args:
        values: Any shape; what is not float32 is rounded to it.
        axis: Which axis is that of the channels.

    Attributes:
        tensor: The values in float32, (..., channels, ...).
        channels: Number of channels.
        per_channel: Number of values of each channel.
    """

    def __init__(self, values: NDArray[np.float32] | NDArray[np.float64] | torch.Tensor, axis: int) -> None:
        self.tensor = torch.as_tensor(values).detach().to("cpu", torch.float32)
        self.axis = axis
        self.channels = self.tensor.shape[axis]
        self.per_channel = self.tensor.numel() // max(1, self.channels)

    @cached_property
    def tables(self) -> list[Table]:
        """The values, split into parts that can be worked on at the same time."""
        if not self.tensor.numel():
            return []
        last = self.tensor.movedim(self.axis, -1)
        inner = self.tensor[(0,) * (self.axis + 1)].numel()
        if self.tensor.is_contiguous() and inner >= RUN:
            return self._by_channel(_bits(self.tensor).reshape(-1, self.channels, inner))
        return self._channels_last(_bits(last.contiguous()).reshape(-1, self.channels))

    def _by_channel(self, bits: Bits) -> list[Table]:
        """Each channel's values (outer, channel, inner) lie together."""
        outer, channels, inner = bits.shape
        rows = bits.reshape(outer, -1)
        return [
            Table(rows, channel * inner, (channel + 1) * inner, np.full(LANES_AT_LEAST, channel, np.int64))
            for channel in range(channels)
        ]

    def _channels_last(self, bits: Bits) -> list[Table]:
        """Values (places, channels) of different channels are neighbours."""
        if self.channels > LANES_AT_MOST:
            starts = range(0, self.channels, LANES_AT_MOST)
            ends = [min(start + LANES_AT_MOST, self.channels) for start in starts]
            return [Table(bits, start, end, np.arange(start, end)) for start, end in zip(starts, ends, strict=True)]
        owners = np.tile(np.arange(self.channels), -(-LANES_AT_LEAST // self.channels))
        parts = [part.reshape(1, -1) for part in np.array_split(bits, self._threads) if len(part)]
        return [Table(part, 0, part.size, owners) for part in parts]

    @property
    def _threads(self) -> int:
        return max(1, min(torch.get_num_threads(), self.tensor.numel() // THREAD_VALUES))

    @cached_property
    def ranges(self) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """The smallest and the largest value of each channel, (channels,), and the smallest normal positive one of all.

        A NaN is the smallest or the largest of its channel, whichever its sign says. Where a channel has no value:
        NaN. Where no value is positive and normal: NaN.
        """
        low = np.full(self.channels, NOTHING_LOW, np.int32)
        high, normal = np.full(self.channels, NOTHING_HIGH, np.int32), int(NOTHING_LOW)
        for table, (lowest, highest, smallest) in self._over_tables(Table.measured):
            np.minimum.at(low, table.owners, lowest)
            np.maximum.at(high, table.owners, highest)
            normal = min(normal, smallest)
        return _floats(low), _floats(high), float(_floats(np.array([normal], np.int32))[0])

    def count(self, bins: Bins, counts: NDArray[np.int64]) -> None:
        """Counts how often each bin occurs.

        Args:
            bins: Which; values below the first, and negative ones, are not counted, and none lies above the last.
            counts: (channels, at least bins.start + bins.number); incremented.
        """
        if self.per_channel * FEW < bins.number:
            for table in self.tables:
                table.count_few(bins, counts)
            return
        lock = Lock()
        for _ in self._over_tables(lambda table: table.count(bins, counts, lock)):
            pass

    def _over_tables(self, work: Callable[[Table], Result]) -> Iterator[tuple[Table, Result]]:
        threads = min(self._threads, len(self.tables))
        if threads <= 1:
            yield from ((table, work(table)) for table in self.tables)
            return
        # A pool for each call: one that lived on would be dead in a process that was forked.
        with ThreadPoolExecutor(threads) as pool:
            yield from zip(self.tables, pool.map(work, self.tables), strict=True)


def _bits(tensor: torch.Tensor) -> Bits:
    return np.asarray(tensor.view(torch.int32).numpy(), np.int32)


def _floats(keys: Bits) -> NDArray[np.float32]:
    """Ordered integers back to what they stand for."""
    return np.where(keys < 0, keys ^ np.int32(0x7FFFFFFF), keys).astype(np.int32).view(np.float32)
