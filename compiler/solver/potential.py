"""The initial potential: Vth / 2 by Theorem 4.3, or by search."""

from __future__ import annotations

import numpy as np

from snnc.compiler.solver.distribution import Distribution
from snnc.compiler.solver.error import conversion_error
from snnc.compiler.solver.solution import Solution

# Fractions of Vth that a search tries: 0, 1/64 .. 1; they hold 1/2 exactly.
FRACTIONS = 64


def with_potential(
    distribution: Distribution, threshold: float, timesteps: int, *, fraction: float = 0.5, objective: int = 1
) -> Solution:
    """The solution with this threshold and v0 = fraction * Vth."""
    errors = conversion_error(distribution, [threshold], timesteps, potential_fraction=fraction, objective=objective)
    return Solution(threshold, threshold * fraction, float(errors[0]))


def search_potential(distribution: Distribution, threshold: float, timesteps: int, objective: int = 1) -> Solution:
    """The best of 65 potentials from 0 to Vth for this threshold.

    Whatever the activations, none is better than Vth / 2 (paper, Theorem 4.3; docs/solver.md has a proof for every T
    and m): the search is there to see that. Of potentials that are equally good the nearest to Vth / 2 is taken.

    Args:
        distribution: The activations.
        threshold: Vth > 0.
        timesteps: T >= 1.
        objective: m, 1 or 2.
    """
    fractions = sorted(np.arange(FRACTIONS + 1) / FRACTIONS, key=lambda each: abs(each - 0.5))
    return min(
        (
            with_potential(distribution, threshold, timesteps, fraction=float(each), objective=objective)
            for each in fractions
        ),
        key=lambda solution: solution.error,
    )
