"""Weights cut into digits: integers of which all of a neuron's together stay exact in float32."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnc.common.arrays import FloatArray, per_channel
from snnc.common.jit import compiled

# Leading bits that are kept: 128 times as fine as the bins of the sketch that thresholds come from, and 2 ** 36 times
# as coarse as what the last bits of float64 differ in.
BITS = 16
# Of the largest number of a row.
ROW_BITS = 12


def rounded(values: FloatArray) -> FloatArray:
    """Round values to 16 significant bits.

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
    """Round rows of numbers, each to 12 bits of the largest one of its row.

    What linear equations give differs in the last bits by as much as they are ill-conditioned, for small numbers as for
    large ones; 12 bits are still 16 times as fine as what a chip keeps of a neuron's weights.

    Args:
        values: (rows, ...), finite.

    Returns:
        The nearest multiples of ``2 ** -12`` of the power of two above each row's largest number.
    """
    _, exponent = np.frexp(np.abs(values.reshape(len(values), -1)).max(1, initial=0))
    exponent = per_channel(exponent - ROW_BITS, values.ndim)
    found: FloatArray = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
    return found


def rounded_down(value: float) -> float:
    """Return the largest number of 16 significant bits that is not above a positive one."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.floor(math.ldexp(fraction, BITS)), exponent - BITS)


# Smaller numbers are nothing: what scales them up would overflow.
LEAST_EXPONENT = -1000


@compiled
def take_digit(
    left: FloatArray, starts: NDArray[np.int64], bits: int, whole: NDArray[np.float32], grain: FloatArray
) -> None:
    """Take the next digit away from numbers, row by row: the nearest multiples of a power of two.

    Args:
        left: The numbers, rows one after another; what remains of them is written back.
        starts: Where each row begins, and at the end where the last one ends.
        bits: The sizes of a row's integers sum up to ``2 ** bits`` at most.
        whole: The integers, likewise; written.
        grain: For each row the power of two that they are multiples of, the least possible; written.
    """
    for row in range(len(starts) - 1):
        numbers, integers = left[starts[row] : starts[row + 1]], whole[starts[row] : starts[row + 1]]
        size = 0.0
        for index in range(len(numbers)):
            size += abs(numbers[index])
        _, exponent = math.frexp(size)
        # Too small for certain, so that the sum's own rounding decides nothing.
        exponent = max(exponent - bits - 2, LEAST_EXPONENT)
        while True:
            inverse = math.ldexp(1.0, -exponent)
            total = 0.0
            for index in range(len(numbers)):
                integer = np.rint(numbers[index] * inverse)
                integers[index] = integer
                total += abs(integer)
            if total <= 2.0**bits:
                break
            exponent += 1
        grain[row] = math.ldexp(1.0, exponent)
        for index in range(len(numbers)):
            numbers[index] -= integers[index] * grain[row]


@compiled
def largest(numbers: FloatArray, starts: NDArray[np.int64]) -> FloatArray:
    """Return the largest size of a number in each row; 0 where it has none.

    Args:
        numbers: As for :func:`take_digit`.
        starts: Likewise.
    """
    found = np.zeros(len(starts) - 1)
    for row in range(len(found)):
        for index in range(starts[row], starts[row + 1]):
            found[row] = max(found[row], abs(numbers[index]))
    return found
