"""Numbers that do not show in which order sums were taken."""

from __future__ import annotations

import math

import numpy as np

from snnc.compiler.solver.distribution import FloatArray

# Leading bits that are kept: 128 times as fine as the bins of the sketch that thresholds come from, and 2 ** 36 times
# as coarse as what the last bits of float64 differ in.
BITS = 16
# Of the largest number of a row.
ROW_BITS = 12


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


def rounded_together(values: FloatArray) -> FloatArray:
    """Rows of numbers, each to 12 bits of the largest one of its row.

    What linear equations give differs in the last bits by as much as they are ill-conditioned, for small numbers as for
    large ones; 12 bits are still 16 times as fine as what a chip keeps of a neuron's weights.

    Args:
        values: (rows, ...), finite.

    Returns:
        The nearest multiples of ``2 ** -12`` of the power of two above each row's largest number.
    """
    _, exponent = np.frexp(np.abs(values.reshape(len(values), -1)).max(1, initial=0))
    exponent = (exponent - ROW_BITS).reshape(-1, *(1,) * (values.ndim - 1))
    found: FloatArray = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
    return found


def rounded_down(value: float) -> float:
    """The largest number of 16 significant bits that is not above a positive one."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.floor(math.ldexp(fraction, BITS)), exponent - BITS)
