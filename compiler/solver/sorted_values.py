"""One pass over plain activations: whether they are sorted, and which level at T = 1 is best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Values = NDArray[np.float64]
# Values between two looks at whether to go on; pairs that are summed up apart, so that rounding errors stay apart too.
BLOCK = 4096


@compiled
def is_ascending(values: Values) -> bool:
    """Whether no value (N,) is less than the one before it and none is NaN, but for a single value."""
    for begin in range(1, len(values), BLOCK):
        later, earlier = values[begin : begin + BLOCK], values[begin - 1 :]
        # Counted, since sums become vector instructions and early ends do not.
        orderly = np.int64(0)
        for index in range(len(later)):
            orderly += np.int64(later[index] >= earlier[index])
        if orderly < len(later):
            return False
    return True


@compiled
def best_median(values: Values) -> tuple[float, int, int]:
    """The edge n0 whose upper part ``values[n0:]`` gains most from being represented by its median.

    With K = N - n0 and the median at ``n1 = n0 + K // 2`` the gain is ``sum(values[n0:n1])``, and half of
    ``values[n1]`` more if K is odd: half of what the error falls if all from n0 on fire instead of none
    (docs/solver.md). K and K + 1 with odd K have the same median, and from one such pair to the next the sum takes in
    two values and loses one, so that all edges are compared in one pass, from the largest down.

    Args:
        values: (N,), ascending, N >= 1.

    Returns:
        The largest gain, n0 and n1.
    """
    count = len(values)
    gain, first, median = 0.5 * values[count - 1], count - 1, count - 1
    total = 0.0
    for begin in range(0, (count + 1) // 2, BLOCK):
        part = 0.0
        for pair in range(begin, min(begin + BLOCK, (count + 1) // 2)):
            odd, middle = count - 2 * pair - 1, count - pair - 1
            if pair:
                part += (values[odd] + values[odd + 1]) - values[middle]
            found = (total + part) + 0.5 * values[middle]
            if found > gain:
                gain, first, median = found, odd, middle
            if odd:
                found = (total + part) + values[odd - 1]
                if found > gain:
                    gain, first, median = found, odd - 1, middle
        total += part
    return gain, first, median
