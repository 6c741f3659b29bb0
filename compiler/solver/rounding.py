"""Numbers that do not show in which order sums were taken."""

from __future__ import annotations

import math

import numpy as np

from snnc.compiler.solver.distribution import FloatArray

# Leading bits that are kept: 128 times as fine as the bins of the sketch that thresholds come from, and 2 ** 36 times
# as coarse as what the last bits of float64 differ in.
BITS = 16


def rounded(values: FloatArray) -> FloatArray:
    """Values to 16 significant bits.

    Elementary functions and sums in float64 differ in the last bits between versions of numpy and between processors.
    Rounded, the numbers that are written are the same.

    Args:
        values: Any shape, finite.

    Returns:
        The nearest numbers with 16 significant bits; each differs from its value by at most ``2 ** -16`` of it.
    """
    fraction, exponent = np.frexp(values)
    found: FloatArray = np.ldexp(np.rint(np.ldexp(fraction, BITS)), exponent - BITS)
    return found


def rounded_down(value: float) -> float:
    """The largest number of 16 significant bits that is not above a positive one."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.floor(math.ldexp(fraction, BITS)), exponent - BITS)
