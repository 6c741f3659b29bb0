"""One pass over the bits of float32 values, lane by lane: their range, and how often each bin occurs.

Values lie in some columns of a table that is contiguous as a whole: where the compiler has to expect gaps, it makes no
vector instructions. The i-th of these columns belongs to lane ``i % lanes``, so that consecutive values go to different
lanes: their histograms are different memory, and no addition has to wait for the one before it, though half of what a
ReLU gives is the same number, zero.

The bits of a float32, read as an integer, order positive values; :func:`measure` flips those of the negative ones so
that all are ordered. NaN then lies beyond the infinities. 32-bit and unsigned types are spelled out: numba's default
of 64 bits would halve the speed, and signed indices might be negative and would be checked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Bits = NDArray[np.int32]
# 16 bits, so that the histograms of many channels stay in the innermost cache.
Histograms = NDArray[np.uint16]
MOST = np.iinfo(np.uint16).max
# Columns that are worked on at once, so that what is in between stays in the innermost cache.
CHUNK = 256
# Bins that are added up together, or left alone if all are empty.
FOLDED = 64


@compiled
def measure(bits: Bits, left: int, right: int, low: Bits, high: Bits, normal: Bits) -> None:
    """Widens ranges by a table's values.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one behind the last.
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
    """Counts a table's values in bins; those below the first bin go to the place before it.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one behind the last.
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
    bits: Bits, left: int, right: int, shift: int, first: int, owners: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Counts few values beside many bins, straight into the channels' counts; those below the first bin are left out.

    Args:
        bits: (rows, columns), the bits of float32 values, contiguous.
        left: The first of the columns that are looked at.
        right: The one behind the last.
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
def fold(histograms: Histograms, places: int, owners: NDArray[np.int64], start: int, counts: NDArray[np.int64]) -> None:
    """Moves the lanes' histograms into the counts of their channels and leaves zeros behind.

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
