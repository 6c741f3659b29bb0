"""Activations to solve for, and the paper's definitions of spikes and errors in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import strategies as st

from snnc.compiler.conversion.solver import (
    METHODS,
)

# Multiples of 1/8: sums and differences are exact, so ties are ties.
eighths = st.integers(0, 80).map(lambda each: each / 8)
activations = st.lists(eighths, min_size=1, max_size=24).filter(lambda each: max(each) > 0)
real_activations = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40)
timesteps = st.sampled_from([1, 2, 3, 4, 7, 8, 16])
objectives = st.sampled_from([1, 2])
methods = st.sampled_from(sorted(METHODS))


# Ties and duplicates are frequent among a few small numbers, heavy tails among powers.
tied = st.lists(st.integers(1, 12).map(float), min_size=1, max_size=12)
heavy = st.lists(st.floats(-12, 12).map(lambda each: 2.0**each), min_size=1, max_size=12)
arrays = st.one_of(tied, heavy, activations)


def count(a: float, threshold: float, potential: float, steps: int) -> int:
    """Spikes of a neuron, step by step, in exact arithmetic."""
    v, theta, a = Fraction(potential), Fraction(threshold), Fraction(a)
    spikes = 0
    for _ in range(steps):
        v += a
        if v >= theta:
            v -= theta
            spikes += 1
    return spikes


def error(values, threshold: float | Fraction, potential: float | Fraction, steps: int, m: int = 1) -> Fraction:
    """Sum of |activation - rate| ** m over the positive activations."""
    level = Fraction(threshold) / steps
    rates = {a: count(a, threshold, potential, steps) * level for a in values if a > 0}
    return sum((abs(Fraction(a) - rates[a]) ** m for a in values if a > 0), Fraction(0))


def close(found: float, expected: float | Fraction, scale: float = 0.0) -> bool:
    return math.isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-9 * (scale or 1))
