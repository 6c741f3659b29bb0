"""Weights cut into digits: integers of which all of a neuron's together stay exact in float32."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnc.just_in_time import compiled

Floats = NDArray[np.float64]
# Smaller numbers are nothing: what scales them up would overflow.
LEAST_EXPONENT = -1000


@compiled
def take_digit(left: Floats, starts: NDArray[np.int64], bits: int, whole: NDArray[np.float32], grain: Floats) -> None:
    """Takes the next digit away from numbers, row by row: the nearest multiples of a power of two.

    Args:
        left: The numbers, rows behind one another; what remains of them is written back.
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
def largest(numbers: Floats, starts: NDArray[np.int64]) -> Floats:
    """The largest size of a number in each row; 0 where it has none.

    Args:
        numbers: As for :func:`take_digit`.
        starts: Likewise.
    """
    found = np.zeros(len(starts) - 1)
    for row in range(len(found)):
        for index in range(starts[row], starts[row + 1]):
            found[row] = max(found[row], abs(numbers[index]))
    return found
