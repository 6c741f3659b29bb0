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

from snnc.common.jit import compiled

Bits = NDArray[np.int32]
# Of a channel that saw less than 2 ** 31 values, 32 bits.
Counts = NDArray[np.int32] | NDArray[np.int64]
# 16 bits, so that the histograms of many channels stay in the innermost cache.
Histograms = NDArray[np.uint16]
MOST = np.iinfo(np.uint16).max
# Columns that are worked on at once, so that what is in between stays in the innermost cache.
CHUNK = 256
# Bins that are added up together, or left alone if all are empty.
FOLDED = 64


@compiled
def measure(bits: Bits, left: int, right: int, low: Bits, high: Bits, normal: Bits) -> None:
    """Widen ranges by a table's values.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one after the last.
        low: (k lanes,), the smallest value so far of each of these columns modulo that, as an ordered integer.
        high: The largest likewise.
        normal: The smallest that is at least 2 ** -126 likewise.
    """
    sign, others, smallest = np.int32(31), np.int32(0x7FFFFFFF), np.int32(0x00800000)
    for row in range(len(bits)):
        for begin in range(left, right, len(low)):
            part = bits[row, begin : min(begin + len(low), right)]
            for index in range(len(part)):
                key = np.int32(part[index] ^ np.int32((part[index] >> sign) & others))
                # No min() and max(): these comparisons become vector instructions.
                if key < low[index]:
                    low[index] = key
                if key > high[index]:
                    high[index] = key
                candidate = key if key >= smallest else others
                if candidate < normal[index]:
                    normal[index] = candidate


@compiled
def count(bits: Bits, left: int, right: int, shift: int, first: int, offsets: Bits, histograms: Histograms) -> None:
    """Count a table's values in bins; those below the first bin go to the place before it.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one after the last.
        shift: A value's bin is its bits shifted right by so many.
        first: The bin that the second place of each histogram is for.
        offsets: (k lanes,), where in ``histograms`` that of each of these columns modulo that begins.
        histograms: (lanes * places,); incremented. At most ``MOST`` values of a lane may be counted before they are
            folded; only what is below the first bin may overflow.
    """
    drop, zero, before = np.int32(shift), np.int32(0), np.int32(first - 1)
    one = np.uint16(1)
    places = np.empty(len(offsets), np.uint32)
    for row in range(len(bits)):
        for begin in range(left, right, len(offsets)):
            part = bits[row, begin : min(begin + len(offsets), right)]
            # Two loops: the first becomes vector instructions, the second cannot.
            for index in range(len(part)):
                place = np.int32((part[index] >> drop) - before)
                places[index] = np.uint32(np.int32((place if place > zero else zero) + offsets[index]))
            for index in range(len(part)):
                histograms[places[index]] += one


@compiled
def count_few(
    bits: Bits, left: int, right: int, shift: int, first: int, owners: NDArray[np.int64], counts: Counts
) -> None:
    """Count few values beside many bins, straight into the channels' counts; those below the first bin are left out.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one after the last.
        shift: A value's bin is its bits shifted right by so many.
        first: The bin that the first count of each channel is for.
        owners: (lanes,), the channel of each lane.
        counts: (channels, bins); incremented.
    """
    for row in range(len(bits)):
        for begin in range(left, right, len(owners)):
            for lane in range(min(len(owners), right - begin)):
                place = (bits[row, begin + lane] >> shift) - first
                if place >= 0:
                    counts[owners[lane], place] += 1


@compiled
def fold(histograms: Histograms, places: int, owners: NDArray[np.int64], start: int, counts: Counts) -> None:
    """Move the lanes' histograms into the counts of their channels and leave zeros.

    Args:
        histograms: (at least lanes * places,), as :func:`count` leaves them; the first place of each is thrown away.
        places: Length of a histogram, one more than there are bins.
        owners: (lanes,), the channel of each lane.
        start: The column of ``counts`` that the first bin is for.
        counts: (channels, at least start + bins); incremented.
    """
    nothing = np.uint16(0)
    for lane in range(len(owners)):
        histogram = histograms[lane * places : (lane + 1) * places]
        histogram[0] = nothing
        target = counts[owners[lane], start : start + places - 1]
        for begin in range(0, places - 1, FOLDED):
            source = histogram[begin + 1 : min(begin + 1 + FOLDED, places)]
            found = nothing
            for index in range(len(source)):
                found |= source[index]
            # Most octaves are empty for most channels: their counts need not be fetched.
            if found:
                for index in range(len(source)):
                    target[begin + index] += np.int64(source[index])
                    source[index] = nothing


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
        """Return at least so many zeros; whoever takes them leaves zeros."""
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
        right: The one after the last.
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
        """Return each lane's smallest and largest value, as ordered integers, and the smallest normal one of all."""
        low = np.full(self.stride, NOTHING_LOW, np.int32)
        high, normal = np.full(self.stride, NOTHING_HIGH, np.int32), low.copy()
        measure(self.bits, self.left, self.right, low, high, normal)
        lanes = len(self.owners)
        return low.reshape(-1, lanes).min(0), high.reshape(-1, lanes).max(0), int(normal.min())

    def count(self, bins: Bins, counts: Counts, lock: Lock) -> None:
        """Add to the channels' counts how often each bin occurs; many tables may do so at once with one lock."""
        lanes = len(self.owners)
        places = 1 + bins.number
        histograms = _scratch.zeros(lanes * places)
        offsets = (np.arange(self.stride) % lanes * places).astype(np.int32)
        for bits, left, right in self.pieces(MOST):
            count(bits, left, right, bins.shift, bins.first, offsets, histograms)
            with lock:
                fold(histograms, places, self.owners, bins.start, counts)

    def pieces(self, most: int) -> Iterator[tuple[Bits, int, int]]:
        """Yield the table in parts of at most so many values a lane: rows, first column, the one after the last."""
        lanes = len(self.owners)
        of_each_row = -(-(self.right - self.left) // lanes)
        parts = -(-of_each_row // most)
        columns = lanes * -(-of_each_row // parts)
        rows = max(1, most // of_each_row)
        for top in range(0, len(self.bits), rows):
            for left in range(self.left, self.right, columns):
                yield self.bits[top : top + rows], left, min(left + columns, self.right)

    def count_few(self, bins: Bins, counts: Counts) -> None:
        """Count few values into many bins, with the same result."""
        count_few(self.bits, self.left, self.right, bins.shift, bins.first - bins.start, self.owners, counts)


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
        """Return the tables for values (outer, channel, inner), where those of a channel lie together."""
        outer, channels, inner = bits.shape
        rows = bits.reshape(outer, -1)
        return [
            Table(rows, channel * inner, (channel + 1) * inner, np.full(LANES_AT_LEAST, channel, np.int64))
            for channel in range(channels)
        ]

    def _channels_last(self, bits: Bits) -> list[Table]:
        """Return the tables for values (places, channels), where neighbours are of different channels."""
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

    def count(self, bins: Bins, counts: Counts) -> None:
        """Count how often each bin occurs.

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
    """Return what ordered integers stand for."""
    return np.where(keys < 0, keys ^ np.int32(0x7FFFFFFF), keys).astype(np.int32).view(np.float32)
