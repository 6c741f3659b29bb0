"""Which arithmetic holds a sum of integers exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# All integers up to these are floating-point numbers, and so is each partial sum, in whatever order it is formed.
SINGLE = 1 << 24
DOUBLE = 1 << 53


def largest_sum(weights: NDArray[np.int32]) -> int:
    """The largest that the sum of a row can become in size with inputs of -1, 0 and 1.

    Args:
        weights: A row for each target, (targets, ...).
    """
    return int(np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1).max(initial=0))


def float_type(bound: int) -> type[np.float32] | type[np.float64] | None:
    """The fastest type in which sums up to ``bound`` in size are exact; None where floating point has none."""
    if bound <= SINGLE:
        return np.float32
    return np.float64 if bound <= DOUBLE else None


def largest_message(messages: NDArray[np.generic]) -> int:
    """The largest size of what arrived, which graded spikes need for their bound."""
    if not messages.size:
        return 0
    return max(int(messages.max()), -int(messages.min()))
